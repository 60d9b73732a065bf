#!/usr/bin/env python3
"""How smoothly a page of `hemiola analyze` moves in Chromium, without a screen and drawn by the processor.

    python scripts/reference/page_frames.py out/report.html [MORE…]

Each page is zoomed, then moved, by a wheel event before every frame for several seconds, then scrolled. Told are the time until
its lanes are drawn, that from one frame to the next (16.7 ms is every frame of a screen of 60 Hz), how many frames came later
than two of these, and the time that the page's own script takes for one. Needs Chromium, nothing else.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

PROBE = """
<script>
(async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const ms = list => {
    list.sort((a, b) => a - b);
    const at = share => +list[Math.min(list.length - 1, Math.floor(share * list.length))].toFixed(2);
    return { frames: list.length, median_ms: at(0.5), p95_ms: at(0.95), longest_ms: at(1), over_33_ms: list.filter(gap => gap > 33.4).length };
  };
  const turn = options => document.getElementById("lanes").dispatchEvent(
    new WheelEvent("wheel", { bubbles: true, cancelable: true, clientX: 700, ...options }));
  const measure = async (n, act) => {
    const gaps = [];
    for (let i = 0; i < 30; i++) { act(i, n); await frame(); }
    frames.length = 0;
    let before = await frame();
    for (let i = 0; i < n; i++) {
      act(i, n);
      const now = await frame();
      gaps.push(now - before);
      before = now;
    }
    return { ...ms(gaps), script: frames.length ? ms(frames.slice()) : null };
  };
  while (!frames.length) await frame();
  const measured = { lanes_drawn_ms: Math.round(performance.now()) };
  await new Promise(done => setTimeout(done, 1500));
  measured.zoom = await measure(300, (i, n) => turn({ ctrlKey: true, deltaY: i % 150 < 75 ? -20 : 20 }));
  view.set(0, 20);
  measured.move = await measure(300, i => turn({ shiftKey: true, deltaY: i % 200 < 150 ? 30 : -30 }));
  view.set(0, DURATION);
  measured.scroll = await measure(240, i => scrollBy(0, i % 120 < 60 ? 12 : -12));
  console.log("MEASURED" + JSON.stringify(measured) + "END");
})();
</script></body>"""


def chromium():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return found or sys.exit("Chromium is not installed")


def measured(page):
    with tempfile.TemporaryDirectory() as folder:
        tried = Path(folder, "page.html")
        tried.write_text(page.read_text(encoding="utf-8").replace("</body>", PROBE, 1), encoding="utf-8")
        command = [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--window-size=1400,1000",
                   "--enable-logging=stderr", f"--user-data-dir={folder}/profile", tried.as_uri()]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as browser:
            timer = threading.Timer(120, browser.kill)
            timer.start()
            found = next(filter(None, (re.search(r"MEASURED(\{.*\})END", line) for line in browser.stderr)), None)
            timer.cancel()
            browser.terminate()
    return json.loads(found.group(1)) if found else sys.exit(f"{page}: the page did not come to an end in two minutes")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        for action, result in measured(Path(name)).items():
            print(name, action, json.dumps(result))


if __name__ == "__main__":
    main()
