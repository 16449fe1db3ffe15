"""gunicorn's configuration and hooks: boot checks, start of the workers, stop of the instance."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
from functools import partial
from pathlib import Path

from server import instance
from server.access_log import GunicornLogger
from server.memory import ARROW_ENVIRONMENT, import_shared_libraries, use_one_heap
from server.threads import log_thread_plan, thread_environment, thread_plan
from settings import load_or_exit

_settings = load_or_exit()
use_one_heap()
# Set this before the imports below: libraries read it at import. Otherwise numpy starts a thread for each core.
os.environ.update({**ARROW_ENVIRONMENT, **thread_environment(_settings)})

from web import metrics
from web.boot import BootError, announce, begin_generation
from web.logs import configure_logging, log_event

configure_logging(_settings.log_level)
# No core dumps: they would contain the photos of running requests.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
worker_class = "server.worker.DrainingWorker"
workers = _settings.gunicorn_workers
threads = _settings.gunicorn_threads
timeout = _settings.gunicorn_timeout_s
# Seconds from SIGTERM: the time in which a worker still accepts requests, and the time to finish them.
graceful_timeout = _settings.stop_delay_s + _settings.gunicorn_timeout_s
# Seconds that an idle connection is kept. This is for clients that connect to this port directly: the project's nginx
# opens a new connection for each request. A proxy with a pool of connections must close idle ones sooner than this.
keepalive = 75
max_requests = _settings.max_requests
max_requests_jitter = _settings.max_requests // 10
# torch, faiss and TensorFlow hang in a child process if they have run before the fork.
preload_app = False
control_socket_disable = True
accesslog = "-"
loglevel = _settings.log_level.lower()
logger_class = GunicornLogger
# gunicorn writes a heartbeat file for each worker every second. Keep these files in memory if possible.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def on_starting(server):
    """Run the boot checks, then create the memory that workers share."""
    try:
        generation = begin_generation(_settings)
    except BootError as error:
        sys.exit(f"dermserve: {error}")
    log_thread_plan(thread_plan(_settings))
    instance.begin(workers, generation)
    import_shared_libraries()


def on_reload(server):
    """Choose the index anew, and check it. If something is wrong, the new workers serve what the old ones serve."""
    try:
        instance.current().generation = begin_generation(_settings)
    except BootError as error:
        log_event(logging.getLogger("dermserve.boot"), "reload_refused", level=logging.ERROR, reason=str(error))


def when_ready(server):
    """Make SIGTERM mark a stop of the whole instance. For a worker alone, SIGTERM may mean that it is replaced."""

    def stop(sig, frame):
        # A forked child may still have this handler: it must not mark a stop. If another arbiter (USR2) or systemd also
        # has the listening sockets, they stay open, and this instance must not take the waiting connections.
        is_last = server.reexec_pid == server.master_pid == 0 and not server.systemd
        if os.getpid() == server.pid and is_last:
            instance.current().mark_stopping()
        server.signal(sig, frame)

    signal.signal(signal.SIGTERM, stop)


def pre_fork(server, worker):
    """Number the worker."""
    instance.current().enrol(worker, server.WORKERS.values())


def post_worker_init(worker):
    """Load in the background: threads, sockets and frameworks start after the fork."""
    host, port = worker.sockets[0].getsockname()[:2]
    worker.wsgi.extensions["dermserve-served"].start(partial(announce, _settings, host, port))


def child_exit(server, worker):
    """Clear the state and the gauges of a dead worker."""
    own = instance.current()
    own.forget(worker)
    metrics.forget(own.folder, worker.number)


def on_exit(server):
    """Remove the folder that workers shared. There is no instance if the boot checks failed."""
    own = instance.current()
    if own is not None:
        own.remove()
