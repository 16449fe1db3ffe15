curl http://127.0.0.1:8000/api/analyze/skin/fhir \
  -H "Authorization: Bearer YOUR_KEY" \
  -F image=@skin.jpg
