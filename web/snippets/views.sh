curl http://127.0.0.1:8000/api/analyze/skin \
  -H "Authorization: Bearer YOUR_KEY" \
  -F image=@view1.jpg \
  -F image=@view2.jpg \
  -F detail=summary
