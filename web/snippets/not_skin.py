import requests

with open("skin.jpg", "rb") as photo:
    answer = requests.post(
        "http://127.0.0.1:8000/api/analyze/skin",
        headers={"Authorization": "Bearer YOUR_KEY"},
        files={"image": photo},
        timeout=300,
    ).json()
if not answer["success"]:
    raise SystemExit(answer["error"]["message"])

print(answer["summary"]["headline"])
if answer["modality"].get("label") == "not_skin":
    print("Ask for another photo:", answer["summary"]["next_step"])
else:
    tone = answer["skin"].get("tone") or {}
    print("Skin tone:", tone.get("group") or "not measured")
