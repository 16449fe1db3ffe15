import requests

with open("skin.jpg", "rb") as photo:
    answer = requests.post(
        "http://127.0.0.1:8000/api/analyze/skin",
        headers={"Authorization": "Bearer YOUR_KEY"},
        files={"image": photo},
        data={"detail": "summary"},
        timeout=300,
    ).json()
if not answer["success"]:
    raise SystemExit(answer["error"]["message"])

decision = answer["decision"]
print(answer["summary"]["headline"])
if decision["kind"] == "abstain":
    print("No condition is named:", ", ".join(decision["reasons"]))
else:
    print("Conditions:", ", ".join(decision["set"]))
    if decision.get("coverage"):
        print(f"For photos like this, the right one is among them in {decision['coverage']:.0%}.")
print(answer["summary"]["next_step"])
