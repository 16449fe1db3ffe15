import requests

with open("january.jpg", "rb") as before, open("march.jpg", "rb") as after:
    answer = requests.post(
        "http://127.0.0.1:8000/api/compare/skin",
        headers={"Authorization": "Bearer YOUR_KEY"},
        files={"before": before, "after": after},
        data={"before_date": "2026-01-10", "after_date": "2026-03-10"},
        timeout=300,
    ).json()
if not answer["success"]:
    raise SystemExit(answer["error"]["message"])

print(answer["summary"]["headline"])
for measure in answer["measures"]:
    if measure["change"] in ("higher", "lower"):
        print(measure["label"], measure["before"], "→", measure["after"], measure["unit"])
