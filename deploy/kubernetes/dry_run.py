#!/usr/bin/env python3
"""`kubectl apply --dry-run=client` of overlays without a cluster.

    dry_run.py OVERLAY...

kubectl asks a server which kinds there are, and whether an object exists, before it says what it would do. Here
that server is this program: it knows the kinds below, as a cluster of Kubernetes 1.25 or newer names them, and has
no objects. A kind or version that is not among them is an error of kubectl's.
"""
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading

KINDS = {  # API group and version: kind, plural, whether it is in a namespace
    "v1": [("Namespace", "namespaces", False), ("ServiceAccount", "serviceaccounts", True),
           ("ConfigMap", "configmaps", True), ("Service", "services", True), ("Secret", "secrets", True),
           ("PersistentVolumeClaim", "persistentvolumeclaims", True)],
    "apps/v1": [("Deployment", "deployments", True), ("StatefulSet", "statefulsets", True)],
    "networking.k8s.io/v1": [("NetworkPolicy", "networkpolicies", True), ("Ingress", "ingresses", True)],
    "policy/v1": [("PodDisruptionBudget", "poddisruptionbudgets", True)],
}


def answer(path):
    """The JSON of a GET, None where a cluster without objects would say 404."""
    if path == "/version":
        return {"major": "1", "minor": "25", "gitVersion": "v1.25.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [(version.split("/")[0], {"groupVersion": version, "version": version.split("/")[1]})
                  for version in KINDS if "/" in version]
        return {"kind": "APIGroupList", "apiVersion": "v1",
                "groups": [{"name": name, "versions": [version], "preferredVersion": version}
                           for name, version in groups]}
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version in KINDS:
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
                "resources": [{"name": plural, "kind": kind, "namespaced": namespaced,
                               "verbs": ["create", "get", "patch"]}
                              for kind, plural, namespaced in KINDS[version]]}
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = answer(self.path.split("?")[0])
        status = 404 if body is None else 200
        text = json.dumps(body or {"kind": "Status", "apiVersion": "v1", "status": "Failure",
                                   "reason": "NotFound", "code": 404}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as home:
        # Neither settings of the user nor a cache of another server; nothing is asked of a proxy.
        env = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": "/dev/null", "NO_PROXY": "127.0.0.1"}
        failed = [overlay for overlay in sys.argv[1:] if subprocess.run(
            ["kubectl", f"--server={address}", "apply", "--dry-run=client", "--validate=false", "-k", overlay],
            env=env, check=False).returncode]
    return 1 if failed or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
