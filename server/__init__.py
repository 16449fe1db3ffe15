"""gunicorn's workers: how they start and stop, their threads and their memory."""
