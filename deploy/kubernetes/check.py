#!/usr/bin/env python3
"""Checks the overlays without a cluster and without a network.

    check.py [OVERLAY...]       default: all beside this file

Each is rendered by kubectl's kustomize. Every object is then compared, field by field, with the API's own
schema as the Kubernetes client of Debian (python3-kubernetes) has it: unknown fields, wrong types and missing
ones are errors. After that come the rules of this project: see `rules`.
"""
import pathlib
import re
import subprocess
import sys

import yaml
from kubernetes import client

HERE = pathlib.Path(__file__).resolve().parent
SCALARS = {"str": str, "int": int, "bool": bool, "float": (int, float)}


def model_of(item):
    """The model class of an object's apiVersion and kind: V1Deployment of apps/v1."""
    version = item["apiVersion"].split("/")[-1]
    return getattr(client, version[0].upper() + version[1:] + item["kind"], None)


def compare(value, kind, path, errors):
    """Appends to `errors` what in `value` is not as type `kind` of the client's models wants it."""
    listed = re.fullmatch(r"list\[(.*)\]", kind)
    mapped = re.fullmatch(r"dict\(str, (.*)\)", kind)
    if listed or mapped:
        wanted = list if listed else dict
        if not isinstance(value, wanted):
            errors.append(f"{path}: {value!r} is no {wanted.__name__}")
            return
        for key, each in enumerate(value) if listed else value.items():
            compare(each, (listed or mapped).group(1), f"{path}[{key}]", errors)
    elif kind in SCALARS:
        is_bool = isinstance(value, bool) and kind != "bool"
        if is_bool or not isinstance(value, SCALARS[kind]):
            errors.append(f"{path}: {value!r} is no {kind}")
    elif kind not in ("object", "datetime"):  # object: a number or a text, such as a port.
        compare_model(value, getattr(client, kind), path, errors)


def compare_model(value, model, path, errors):
    if not isinstance(value, dict):
        errors.append(f"{path}: {value!r} is no {model.__name__}")
        return
    names = {json: python for python, json in model.attribute_map.items()}
    for key, each in value.items():
        if key in names:
            compare(each, model.openapi_types[names[key]], f"{path}.{key}", errors)
        else:
            errors.append(f"{path}.{key}: {model.__name__} has no such field")
    # The models refuse to be without what the schema requires.
    for python, json in model.attribute_map.items():
        setter = getattr(model, python).fset
        try:
            if value.get(json) is None:
                blank = model.__new__(model)
                blank.local_vars_configuration = client.Configuration()
                setter(blank, None)
        except ValueError:
            errors.append(f"{path}.{json} is missing")


def pods(items):
    return [i["spec"]["template"] | {"name": i["metadata"]["name"]} for i in items
            if i["kind"] == "Deployment"]


def rules(items, errors):
    """Not root, nothing writable, bounded, probed; selectors that select; no secret among the objects."""
    labels = [pod["metadata"]["labels"] for pod in pods(items)]
    for pod in pods(items):
        spec = pod["spec"]
        if not spec["securityContext"].get("runAsNonRoot"):
            errors.append(f"{pod['name']} may run as root")
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in spec["containers"] + spec.get("initContainers", []):
            where = f"{pod['name']}/{container['name']}"
            security = container.get("securityContext", {})
            if not security.get("readOnlyRootFilesystem") or security.get("allowPrivilegeEscalation", True):
                errors.append(f"{where} may write or gain rights")
            resources = container.get("resources", {})
            if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "limits" not in resources:
                errors.append(f"{where} asks for no resources")
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    errors.append(f"{where} mounts {mount['name']}, which is no volume")
        for container in spec["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe not in container:
                    errors.append(f"{pod['name']}/{container['name']} has no {probe}")
    for item in items:
        if item["kind"] == "Secret":
            errors.append(f"{item['metadata']['name']} is a Secret: they are made by hand")
        selector = {"Service": ("selector",), "PodDisruptionBudget": ("selector", "matchLabels"),
                    "NetworkPolicy": ("podSelector", "matchLabels")}.get(item["kind"])
        wanted = item.get("spec", {}) if selector else {}
        for key in selector or ():
            wanted = wanted.get(key, {})
        if selector and not any(wanted.items() <= each.items() for each in labels):
            errors.append(f"{item['kind']} {item['metadata']['name']} selects nothing")


def check(overlay):
    rendered = subprocess.run(["kubectl", "kustomize", str(overlay)], check=True, capture_output=True, text=True)
    items = [item for item in yaml.safe_load_all(rendered.stdout) if item]
    errors = []
    for item in items:
        path = f"{item['kind']} {item['metadata']['name']}"
        model = model_of(item)
        if model is None:
            errors.append(f"{path}: unknown kind of {item['apiVersion']}")
        else:
            compare_model(item, model, path, errors)
    rules(items, errors)
    print(f"{overlay.name}: {len(items)} objects, {len(errors)} errors")
    for error in errors:
        print(f"  {error}")
    return not errors


def main():
    overlays = [pathlib.Path(word) for word in sys.argv[1:]]
    overlays = overlays or sorted(path.parent for path in HERE.glob("*/kustomization.yaml")
                                  if path.parent.name != "base")
    return 0 if all([check(overlay) for overlay in overlays]) else 1


if __name__ == "__main__":
    sys.exit(main())
