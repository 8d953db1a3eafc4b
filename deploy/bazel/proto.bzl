"""proto_cc: messages and gRPC stubs of .proto files whose import root is //proto."""

def proto_cc(name, srcs, services = [], deps = [], visibility = None):
    """One cc_library for `srcs`, included as e.g. "machine/v1/machine.pb.h".

    Args:
      name: the library.
      srcs: every .proto of the library, paths below //proto.
      services: the srcs that declare services; these also get "….grpc.pb.h" with mock stubs.
      deps: other proto_cc libraries whose files the srcs import.
      visibility: who may use it.
    """
    sources = []
    headers = []
    for src in srcs:
        base = src[:-len(".proto")]
        outs = [base + ".pb.h", base + ".pb.cc"]
        flags = "--cpp_out=$(RULEDIR)"
        if src in services:
            outs += [base + ".grpc.pb.h", base + ".grpc.pb.cc", base + "_mock.grpc.pb.h"]
            flags += " --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=generate_mock_code=true:$(RULEDIR)"
        native.genrule(
            name = name + "_" + base.replace("/", "_") + "_gen",
            srcs = [src, ":all_protos"],
            outs = outs,
            cmd = "/usr/bin/protoc --fatal_warnings -Iproto -I/usr/include %s $(location %s)" % (flags, src),
        )
        headers += [o for o in outs if o.endswith(".h")]
        sources += [o for o in outs if o.endswith(".cc")]
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        includes = ["."],
        copts = ["-w"],  # Generated code is not ours to warn about.
        visibility = visibility,
        deps = deps + ["@system//:grpc", "@system//:protobuf"],
    )
