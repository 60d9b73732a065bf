"""Checks JAMS files against the schema and the namespaces of the Python package jams.

Usage: python validate_jams.py FILE...   (pip install jams)
Prints what each file holds; the exit code is 1 if one is not valid.
"""

import sys

import jams


def main():
    failed = False
    for path in sys.argv[1:]:
        try:
            document = jams.load(path, validate=True, strict=True)
        except (jams.JamsError, ValueError) as fault:
            print(f"{path}: {fault}")
            failed = True
            continue
        print(path)
        for annotation in document.annotations:
            annotation.validate(strict=True)
            print(f"  {annotation.namespace:14} {len(annotation.data):6} observations")
    sys.exit(failed)


if __name__ == "__main__":
    main()
