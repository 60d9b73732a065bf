"""Four plain pianos out of MuseScore_General (MIT licence), for synthesizers without SoundFont modulators.

MuseScore_General shapes its pianos with modulators (velocity opens a 300 Hz low-pass and fades layers), which
rustysynth does not read: they sound muffled and up to 30 dB too soft. This keeps the samples and zones of the medium
and the hard stroke and leaves the modulators out.

usage: musescore_pianos.py MuseScore_General_Full.sf2 OUT.sf2
"""

import struct
import sys

ATTENUATION, FILTER_CUTOFF, ATTACK, INSTRUMENT, VELOCITIES, SAMPLE = 48, 8, 34, 41, 44, 53
FAST_ATTACK = -7973  # added to the instruments' own -3986 timecents: 1 ms
OPEN = 13500


def chunks(data, start, end):
    while start + 8 <= end:
        name, size = data[start : start + 4], struct.unpack_from("<I", data, start + 4)[0]
        yield bytes(name).decode(), start + 8, size
        start += 8 + size + (size & 1)


def records(data, layout):
    return list(struct.iter_unpack(layout, data))


def chunk(name, body):
    return name.encode() + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)



def main(source, target):
    data = memoryview(open(source, "rb").read())
    parts = {}
    for name, start, size in chunks(data, 12, len(data)):
        kind = bytes(data[start : start + 4]).decode()
        for inner, at, length in chunks(data, start + 4, start + size):
            parts[inner] = data[at : at + length]
        if kind == "INFO":
            info = bytes(data[start : start + size])
    instruments = records(parts["inst"], "<20sH")
    bags = records(parts["ibag"], "<HH")
    generators = records(parts["igen"], "<HH")
    headers = records(parts["shdr"], "<20sIIIIIBbHH")

    def index(name):
        return next(i for i, (raw, _) in enumerate(instruments) if raw.split(b"\0")[0].decode() == name)

    wanted = ["Piano MF-low", "Piano MF-high", "Piano FF-low", "Piano FF-high"]
    inst, ibag, igen, smpl, shdr = b"", b"", b"", bytearray(), b""
    bag_count = generator_count = 0
    moved = {}
    for name in wanted:
        number = index(name)
        inst += struct.pack("<20sH", name.encode(), bag_count)
        for bag in range(instruments[number][1], instruments[number + 1][1]):
            ibag += struct.pack("<HH", generator_count, 0)
            bag_count += 1
            for operator, amount in generators[bags[bag][0] : bags[bag + 1][0]]:
                if operator == FILTER_CUTOFF:
                    amount = OPEN
                if operator == SAMPLE:
                    if amount not in moved:
                        raw, start, end, loop, loop_end, rate, key, cents, _, _ = headers[amount]
                        at = len(smpl) // 2
                        smpl += bytes(parts["smpl"][2 * start : 2 * end]) + b"\0" * 92
                        shdr += struct.pack(
                            "<20sIIIIIBbHH", raw, at, at + end - start, at + loop - start, at + loop_end - start,
                            rate, key, cents, 0, 1,
                        )
                        moved[amount] = len(moved)
                    amount = moved[amount]
                igen += struct.pack("<HH", operator, amount)
                generator_count += 1
    inst += struct.pack("<20sH", b"EOI", bag_count)
    ibag += struct.pack("<HH", generator_count, 0)
    igen += struct.pack("<HH", 0, 0)
    shdr += struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)

    everywhere = 0 | 127 << 8
    pianos = [
        ("Medium stroke", [([0, 1], everywhere, 0, True)]),
        ("Hard stroke", [([2, 3], everywhere, 0, False)]),
        ("Two strokes", [([0, 1], 0 | 95 << 8, 0, True), ([2, 3], 96 | 127 << 8, 0, False)]),
        ("Mellow", [([0, 1], everywhere, -2600, True)]),
    ]
    phdr, pbag, pgen = b"", b"", b""
    pbags = pgens = 0
    for program, (name, layers) in enumerate(pianos):
        phdr += struct.pack("<20sHHHIII", name.encode(), program, 0, pbags, 0, 0, 0)
        for numbers, velocities, cutoff, slow in layers:
            for number in numbers:
                zone = [(VELOCITIES, velocities)]
                if slow:
                    zone.append((ATTACK, FAST_ATTACK & 0xFFFF))
                if cutoff:
                    zone.append((FILTER_CUTOFF, cutoff & 0xFFFF))
                zone.append((INSTRUMENT, number))
                pbag += struct.pack("<HH", pgens, 0)
                pbags += 1
                for pair in zone:
                    pgen += struct.pack("<HH", *pair)
                    pgens += 1
    phdr += struct.pack("<20sHHHIII", b"EOP", 0, 0, pbags, 0, 0, 0)
    pbag += struct.pack("<HH", pgens, 0)
    pgen += struct.pack("<HH", 0, 0)
    no_modulators = struct.pack("<HHhHH", 0, 0, 0, 0, 0)
    pdta = b"pdta" + b"".join(
        chunk(name, body)
        for name, body in [
            ("phdr", phdr), ("pbag", pbag), ("pmod", no_modulators), ("pgen", pgen),
            ("inst", inst), ("ibag", ibag), ("imod", no_modulators), ("igen", igen), ("shdr", shdr),
        ]
    )
    body = b"sfbk" + chunk("LIST", info) + chunk("LIST", b"sdta" + chunk("smpl", bytes(smpl))) + chunk("LIST", pdta)
    with open(target, "wb") as out:
        out.write(chunk("RIFF", body))


main(*sys.argv[1:])
