curl http://127.0.0.1:8000/api/analyze/skin \
  -H "Authorization: Bearer YOUR_KEY" \
  -F image=@photo.dcm \
  -F detail=summary
