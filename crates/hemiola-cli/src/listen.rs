//! `hemiola listen`: sound as it goes by.

mod input;
#[cfg(feature = "microphone")]
mod microphone;
mod moment;
mod queue;
mod show;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hemiola::features::FrameExtractor;
use hemiola::music::chord::Vocabulary;
use hemiola::tasks::chords::ChordFollower;
use hemiola::tasks::chroma::ChromaStream;
use hemiola::tasks::key::KeyFollower;

use self::input::{PcmArgs, Sound, receive};
use self::moment::{Gatherer, Moment, Summary};
use self::queue::{Block, Next, Overflow, SampleQueue};
use self::show::Show;
use crate::{Outcome, wrong_use};

/// Seconds of sound that may wait to be heard.
const QUEUE_S: f64 = 2.0;
/// Seconds behind live sound from which on it is said, and below which all is well again.
const BEHIND_S: [f64; 2] = [0.5, 0.1];
/// Losses within this are told together.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(1);
/// How long nothing may come before it is looked whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// What the long help ends with.
const EXAMPLES: &str = "\
Standard input is WAV, another format that is recognised, or raw PCM as recorders write it:
  arecord -q -f S16_LE -r 22050 -c 1 | hemiola listen -
  ffmpeg -loglevel error -i URL -ac 1 -ar 22050 -f s16le - | hemiola listen - --json
Ctrl-C ends it; what was heard until then is written.\n";

/// Of the microphones that can be heard; none where the program is built without.
pub fn microphone_names() -> Vec<String> {
    #[cfg(feature = "microphone")]
    return microphone::names();
    #[cfg(not(feature = "microphone"))]
    Vec::new()
}

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// A recording, or - for standard input
    #[arg(default_value = "-", conflicts_with = "microphone")]
    input: PathBuf,
    /// Hear a microphone: that of the name, or the system's default (needs a program built with the feature microphone)
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    microphone: Option<Option<String>>,
    #[command(flatten)]
    pcm: PcmArgs,
    /// Never wait: a recording goes by as it would sound, and what cannot be heard in time is lost, and told. Microphones
    /// are always heard so
    #[arg(long)]
    realtime: bool,
    /// Seconds from one line or picture to the next
    #[arg(long, default_value_t = 0.1, value_name = "SECONDS")]
    interval: f64,
    /// Print a line of JSON for each moment
    #[arg(long)]
    json: bool,
    /// The model of chroma: a built-in one or a checkpoint folder
    #[arg(long, default_value = "chroma")]
    model: String,
    /// The model of chords: a built-in one or a checkpoint folder
    #[arg(long, default_value = "triads")]
    chords: String,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: crate::models::DeviceArg,
}

pub fn run(args: &Args) -> Result<Outcome> {
    if !(args.interval > 0.0 && args.interval.is_finite()) {
        return Err(wrong_use(format!(
            "--interval {}: expected more than 0 seconds",
            args.interval
        )));
    }
    if args.microphone.is_some() && args.pcm.any() {
        return Err(wrong_use(
            "--rate, --channels and --encoding are of raw PCM; a microphone tells its own",
        ));
    }
    #[cfg(not(feature = "microphone"))]
    if args.microphone.is_some() {
        return Err(wrong_use(
            "this program was built without microphones. Build it with: cargo install --path crates/hemiola-cli --features \
             microphone (on Linux with the headers of ALSA, libasound2-dev); or pipe a recorder in: arecord -q -f S16_LE -r \
             22050 -c 1 | hemiola listen - (Linux), or ffmpeg -f avfoundation -i :0 -ac 1 -ar 22050 -f s16le - | hemiola \
             listen - (macOS; -f dshow -i audio=NAME on Windows)",
        ));
    }
    let extractor = crate::models::open_chroma_extractor(&args.model, &args.device.device())?;
    let reader = crate::models::open_chord_reader(&args.chords)?;
    let (sound, name) = open(args, extractor.sample_rate())?;
    // No earlier, so that whoever waits in vain for sound to begin is not caught.
    let stop = until_interrupted()?;
    let live = args.realtime || args.microphone.is_some();
    let rate = extractor.sample_rate();
    let overflow = match live {
        true => Overflow::Lose,
        false => Overflow::Wait,
    };
    let queue = Arc::new(SampleQueue::new(
        (QUEUE_S * f64::from(rate)) as usize,
        overflow,
    ));
    let stream = extractor.stream();
    let mut listener = Listener {
        gatherer: Gatherer::new(stream.front_end.hop_length(), rate, args.interval),
        latency_s: stream.latency_s() + sound.resampling_latency_s(),
        chords: reader
            .follow(stream.frames_per_second(), Vocabulary::MajMin)
            .with_context(|| format!("model {}", args.chords))?,
        key: KeyFollower::new(stream.frames_per_second()),
        stream,
        frames: Vec::new(),
        queue: Arc::clone(&queue),
        show: Show::new(args.json),
        name,
        live,
        behind: false,
        n_samples: 0,
        lost: 0,
        unsaid: 0,
        said: None,
    };
    // What a pipe or a microphone gives comes at its own pace.
    let pace = args.realtime && args.microphone.is_none() && args.input != Path::new("-");
    receive(sound, pace.then_some(rate), queue);
    listener.listen(&stop)
}

/// Where the sound comes from, and what messages call it.
fn open(args: &Args, sample_rate: u32) -> Result<(Sound, String)> {
    #[cfg(feature = "microphone")]
    if let Some(name) = &args.microphone {
        let received = microphone::Received::open(name.as_deref(), sample_rate)?;
        let name = format!("microphone {}", received.name());
        eprintln!("{name}");
        return Ok((Sound::Microphone(Box::new(received)), name));
    }
    if args.input == Path::new("-") {
        let sound = Sound::stdin(args.pcm, sample_rate)?;
        return Ok((sound, "standard input".to_owned()));
    }
    let sound = Sound::file(&args.input, args.pcm, sample_rate)?;
    Ok((sound, args.input.display().to_string()))
}

/// Becomes true once the user has had enough; a second Ctrl-C ends the program at once.
fn until_interrupted() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // First, so that it sees what was before this signal.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("the signals that end the program cannot be caught")?;
    }
    Ok(stop)
}

struct Listener {
    stream: ChromaStream,
    gatherer: Gatherer,
    chords: ChordFollower,
    key: KeyFollower,
    latency_s: f64,
    /// Frames on their way from the one to the other.
    frames: Vec<[f32; 12]>,
    queue: Arc<SampleQueue>,
    show: Show,
    /// Of what is listened to.
    name: String,
    live: bool,
    /// Whether it has been said that the live sound runs away.
    behind: bool,
    n_samples: u64,
    /// Samples.
    lost: u64,
    /// Those of them that the user has not been told of.
    unsaid: u64,
    said: Option<Instant>,
}

impl Listener {
    /// Shows what is heard until the sound is over or the user has had enough.
    fn listen(&mut self, stop: &AtomicBool) -> Result<Outcome> {
        let mut end = None;
        while end.is_none() && !stop.load(Ordering::Relaxed) {
            end = self.take(PATIENCE)?;
        }
        self.queue.close();
        // Nothing is added any more; what has been received is heard.
        while end.is_none() && self.queue.queued() > 0 {
            end = self.take(Duration::ZERO)?;
        }
        self.stream.finish(&mut self.frames);
        self.tell()?;
        if let Some(summary) = self.gatherer.rest() {
            self.show_moment(summary)?;
        }
        self.show.finish()?;
        if self.unsaid > 0 {
            self.say_losses();
        }
        end.unwrap_or(Ok(()))?;
        if self.n_samples == 0 {
            let name = &self.name;
            self.show.say(&format!(
                "warning: {name}: there is no sound in it, not even silence"
            ));
        }
        Ok(Outcome::Done)
    }

    /// What is next in the queue; how the sound ended, where it has.
    fn take(&mut self, patience: Duration) -> Result<Option<Result<()>>> {
        match self.queue.next(patience) {
            Next::Block(block) => self.hear(&block)?,
            Next::Note(note) => {
                let name = &self.name;
                self.show.say(&format!("warning: {name}: {note}"));
            }
            Next::Nothing => {}
            Next::End(result) => return Ok(Some(result)),
        }
        Ok(None)
    }

    fn hear(&mut self, block: &Block) -> Result<()> {
        if block.lost_before > 0 {
            self.lost += block.lost_before;
            self.unsaid += block.lost_before;
            self.gatherer.miss(block.lost_before);
            if self.said.is_none_or(|at| at.elapsed() > BETWEEN_WARNINGS) {
                self.say_losses();
            }
        }
        self.n_samples += block.lost_before + block.samples.len() as u64;
        self.gatherer.hear(&block.samples);
        self.stream.push(&block.samples, &mut self.frames);
        self.tell()?;
        if self.live {
            self.watch();
        }
        Ok(())
    }

    fn say_losses(&mut self) {
        let (until_s, now_s) = (self.seconds(self.n_samples), self.seconds(self.unsaid));
        let so_far_s = self.seconds(self.lost);
        let name = &self.name;
        self.show.say(&format!(
            "warning: {name}: out of real time: {now_s:.2} s of sound were lost around {until_s:.2} s, {so_far_s:.2} s so \
             far; this computer is too slow or too busy"
        ));
        self.unsaid = 0;
        self.said = Some(Instant::now());
    }

    /// Shows what the frames say.
    fn tell(&mut self) -> Result<()> {
        for frame in std::mem::take(&mut self.frames) {
            self.chords.push(&frame);
            self.key.push(&frame);
            if let Some(summary) = self.gatherer.frame(&frame) {
                self.show_moment(summary)?;
            }
        }
        Ok(())
    }

    fn show_moment(&mut self, summary: Summary) -> Result<()> {
        let key = self.key.key();
        let moment = Moment {
            time_s: summary.time_s,
            chroma: summary.chroma,
            level_db: summary.level_db,
            chord: match key {
                Some(key) => key.spell_label(self.chords.current()).to_string(),
                None => self.chords.current().to_string(),
            },
            key: key.map(|key| key.to_string()),
            latency_s: self.latency_s,
            lag_s: self.lag_s(),
            lost_s: self.seconds(self.lost),
        };
        Ok(self.show.moment(&moment)?)
    }

    /// Says once when live sound runs away.
    fn watch(&mut self) {
        let lag_s = self.lag_s();
        if lag_s > BEHIND_S[0] && !self.behind {
            self.behind = true;
            let name = &self.name;
            self.show.say(&format!(
                "warning: {name}: {lag_s:.2} s behind real time; from {QUEUE_S} s on sound is lost"
            ));
        }
        if lag_s < BEHIND_S[1] {
            self.behind = false;
        }
    }

    fn lag_s(&self) -> f64 {
        self.seconds(self.queue.queued() as u64)
    }

    fn seconds(&self, samples: u64) -> f64 {
        samples as f64 / f64::from(self.stream.sample_rate())
    }
}
