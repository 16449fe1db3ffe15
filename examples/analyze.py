"""Analyzes one photo with requests: analyze.py PHOTO [URL]."""

import os
import sys
import time
from pathlib import Path

import requests

photo = Path(sys.argv[1])
url = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000"
key = os.environ.get("DERMSERVE_KEY")

for _ in range(5):
    response = requests.post(
        f"{url}/api/analyze/skin",
        files={"image": ("photo", photo.read_bytes())},
        data={"age": 54, "sex": "female", "body_site": "arm"},
        headers={"X-API-Key": key} if key else {},
        timeout=345,
    )
    # The service is busy or still loading. Retry-After is the number of seconds to wait.
    if response.status_code not in {429, 503} or "Retry-After" not in response.headers:
        break
    time.sleep(int(response.headers["Retry-After"]))

answer = response.json()
if not response.ok:
    sys.exit(f"{response.status_code}: {answer['error']['message']}")
print(answer["summary"]["headline"], answer["summary"]["next_step"])
for problem in answer["quality"]["problems"]:
    print("problem:", problem["message"], problem["advice"])
# A field that is null is left out: a photo without skin has no tone.
tone = answer["skin"].get("tone", {})
print("tone:", tone.get("group", "not measured"))
print("decision:", answer["decision"]["kind"], answer["decision"]["set"], answer["decision"]["reasons"])
print(answer["disclaimer"])
