"""The process that serves the application: gunicorn, its workers, their threads, cores and memory."""
