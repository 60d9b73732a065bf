//! Recipes, losses, the training run and its resumption.
