"""Prints what the summary says of real photos of every kind, to be read beside the photos.

``python -m research.headlines DATA --url URL`` sends about forty photos to a running service. DATA has the folders of
``FOLDERS``. The photos are spread evenly over the names in each folder, so that a run chooses the same ones again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from client.dermserve import Client, ClientError
from client.dermserve.models import AnalysisAnswer

#: folder → number of photos
FOLDERS = {
    "pad/img": 7,
    "ham": 4,
    "isic": 3,
    "clinical": 7,
    "clinical_more": 5,
    "clinical_kind": 5,
    "faces": 4,
    "badimages": 7,
    "reported": 4,
}
_NO_PHOTOS = (".csv", ".md", ".txt")


def chosen(data: Path) -> Iterator[Path]:
    """The photos, folder by folder. A folder that is not there is left out."""
    for folder, number in FOLDERS.items():
        inside = sorted(path for path in (data / folder).glob("*") if path.suffix.lower() not in _NO_PHOTOS)
        step = max(1, len(inside) // number)
        yield from inside[step // 2 :: step][:number]


def told(answer: AnalysisAnswer) -> Iterator[str]:
    """The lines about one answer."""
    summary = answer.summary
    yield f"   kind of photo: {answer.modality.label}; quality {answer.quality.score or 0:.0f} of 100"
    yield f"   headline ({summary.certainty}): {summary.headline}"
    for one in summary.findings:
        yield f"   - ({one.certainty}; {one.basis}) {one.text}"
    yield f"   next: {summary.next_step}"
    yield f"   limits: {summary.limits}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--language", default="en")
    wanted = parser.parse_args()
    with Client(wanted.url, language=wanted.language) as client:
        for number, photo in enumerate(chosen(wanted.data), start=1):
            print(f"{number}. {photo.relative_to(wanted.data)}")
            try:
                print(*told(client.analyze(photo)), sep="\n")
            except ClientError as error:
                print(f"   refused: {error}")


if __name__ == "__main__":
    main()
