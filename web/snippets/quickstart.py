import requests

with open("skin.jpg", "rb") as photo:
    response = requests.post(
        "http://127.0.0.1:8000/api/analyze/skin",
        headers={"Authorization": "Bearer YOUR_KEY"},
        files={"image": photo},
        data={"detail": "summary"},
        timeout=300,
    )
answer = response.json()
if response.ok:
    print(answer["summary"]["headline"])
    print(answer["summary"]["next_step"])
else:
    print(answer["error"]["message"])
