"""Writing MIDI files with mido 1.3.3."""

import io

import mido


def write_midi(ticks_per_beat, conductor, parts):
    """Tracks of (tick, message), in any order; at equal ticks the order given stays, except that ends come first."""
    midi = mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat)
    for events in [conductor, *parts]:
        track = mido.MidiTrack()
        now = 0
        for tick, message in sorted(events, key=lambda event: event[0]):
            track.append(message.copy(time=tick - now))
            now = tick
        midi.tracks.append(track)
    data = io.BytesIO()
    midi.save(file=data)
    return data.getvalue()


def part(name, channel, notes):
    """A track of notes (start, end, pitch, velocity), in ticks."""
    events = [(0, 0, mido.MetaMessage("track_name", name=name))]
    for start, end, pitch, velocity in notes:
        events.append((start, 2, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
        events.append((end, 1, mido.Message("note_off", channel=channel, note=pitch, velocity=0)))
    return [(tick, message) for tick, _, message in sorted(events, key=lambda event: event[:2])]


def signature(tick, beats, unit=4):
    return tick, mido.MetaMessage("time_signature", numerator=beats, denominator=unit)


def tempo(tick, microseconds):
    return tick, mido.MetaMessage("set_tempo", tempo=microseconds)
