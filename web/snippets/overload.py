import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

# Sends the request again up to five times, each time after the seconds in Retry-After.
retry = Retry(total=5, allowed_methods=None, raise_on_status=False)
session = requests.Session()
session.mount("http://127.0.0.1:8000", HTTPAdapter(max_retries=retry))

with open("skin.jpg", "rb") as photo:
    answer = session.post(
        "http://127.0.0.1:8000/api/analyze/skin",
        headers={"Authorization": "Bearer YOUR_KEY"},
        files={"image": photo},
        data={"detail": "summary"},
        timeout=300,
    ).json()
print(answer["summary"]["headline"] if answer["success"] else answer["error"]["message"])
