"""Analyzes one photo with the client, which retries while the service is busy: analyze_client.py PHOTO [URL]."""

import os
import sys

from dermserve import Client, ClientError

url = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000"
with Client(url, key=os.environ.get("DERMSERVE_KEY")) as client:
    try:
        answer = client.analyze(sys.argv[1], age=54, sex="female", body_site="arm")
    except ClientError as error:
        sys.exit(f"{error.status}: {error.message}")
print(answer.summary.headline, answer.summary.next_step)
for problem in answer.quality.problems:
    print("problem:", problem.message, problem.advice)
tone = answer.skin.tone if answer.skin else None  # None if no skin was measured
print("tone:", (tone and tone.group) or "not measured")
print("decision:", answer.decision.kind, answer.decision.set, answer.decision.reasons)
print(answer.disclaimer)
