"""A loopback server that misbehaves as the folder in an address says: /short/, /stall/ ..."""

import contextlib
import http.server
import pathlib
import ssl
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
  """Answers `/MODE/FILE` with the file, in the way that MODE names."""

  def do_GET(self):
    self.server.requests.append(self.path)
    mode, _, name = self.path[1:].rpartition('/')
    if mode.isdigit():
      return self.send_error(int(mode))
    if mode == 'garbage':
      return self.wfile.write(b'\x1b]0;owned\x07 raw bytes\r\n\r\n')
    body = (self.server.folder / name).read_bytes()
    if mode == 'portal':
      body = b'<!DOCTYPE html><title>Sign in to the network</title>'
    elif mode == 'flipped':
      body = body[:100] + bytes([body[100] ^ 1]) + body[101:]
    self.send_response(200)
    self.send_header('Content-Length', str(len(body)))
    self.end_headers()
    self.wfile.write(body[: len(body) // 2] if mode in ('short', 'stall') else body)
    if mode == 'stall':
      time.sleep(60)

  def log_message(self, *args):
    """Keeps quiet."""


@contextlib.contextmanager
def serve(folder, certificate=None):
  """Serves `folder`, by HTTPS with a certificate; the server's `url` has no slash at its end."""
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
    server.folder = pathlib.Path(folder)
    server.requests = []
    if certificate:
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      certificate.configure_cert(context)
      server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = f'http{"s" if certificate else ""}://127.0.0.1:{server.server_port}'
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
      yield server
    finally:
      server.shutdown()
