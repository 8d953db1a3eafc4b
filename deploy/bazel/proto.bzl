"""proto_cc: messages and gRPC stubs of .proto files."""

def proto_cc(name, srcs, services = [], deps = [], visibility = None):
    """One cc_library for `srcs`.

    In //proto, whose folder is the import root of the public protos, headers are included as
    "machine/v1/machine.pb.h"; elsewhere by their full path: "drivers/docker/state.pb.h".

    Args:
      name: the library.
      srcs: every .proto of the library, as paths below the package.
      services: the srcs that declare services; these also get "….grpc.pb.h" with mock stubs.
      deps: other proto_cc libraries whose files the srcs import.
      visibility: who may use it.
    """
    public = native.package_name() == "proto"
    out = "$(RULEDIR)" if public else "$(GENDIR)"
    roots = "-Iproto" if public else "-I. -Iproto"
    sources = []
    headers = []
    for src in srcs:
        base = src[:-len(".proto")]
        outs = [base + ".pb.h", base + ".pb.cc"]
        flags = "--cpp_out=" + out
        if src in services:
            outs += [base + ".grpc.pb.h", base + ".grpc.pb.cc", base + "_mock.grpc.pb.h"]
            flags += " --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=generate_mock_code=true:" + out
        native.genrule(
            name = name + "_" + base.replace("/", "_") + "_gen",
            srcs = [src, "//proto:all_protos"],
            outs = outs,
            cmd = "/usr/bin/protoc --fatal_warnings %s -I/usr/include %s $(location %s)" % (roots, flags, src),
        )
        headers += [o for o in outs if o.endswith(".h")]
        sources += [o for o in outs if o.endswith(".cc")]
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        includes = ["."] if public else [],
        copts = ["-w"],  # Generated code is not ours to warn about.
        visibility = visibility,
        deps = deps + ["@system//:grpc", "@system//:protobuf"],
    )
