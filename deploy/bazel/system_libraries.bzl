"""@system: Debian's libraries as cc_library targets, found by pkg-config.

gRPC, protobuf, Abseil, RE2 and SQLite are linked statically: a dynamically linked gRPC costs 57
shared libraries, which more than doubles the start-up time of a command. OpenSSL, libssh, libcurl
and libpq stay dynamic (`:ssl`), so that a security update of Debian reaches the servers; the command
line client, which starts often and speaks only gRPC, takes `:ssl_static`.
"""

# name -> (pkg-config package, link options instead of pkg-config's, other targets)
_LIBRARIES = {
    "benchmark": ("benchmark", None, []),
    "cli11": ("", [], []),
    "curl": ("libcurl", None, [":ssl"]),
    "gtest": ("gtest gmock", ["-l:libgmock.a", "-l:libgtest.a", "-lpthread"], []),
    "gtest_main": ("gtest gmock", ["-l:libgmock_main.a"], [":gtest"]),
    "httplib": ("cpp-httplib", None, [":ssl"]),
    "json": ("nlohmann_json", [], []),
    "pq": ("libpq", None, [":ssl"]),
    "prometheus": ("prometheus-cpp-core", ["-lprometheus-cpp-pull", "-lprometheus-cpp-core"], []),
    "protobuf": ("protobuf", ["-l:libprotobuf.a", "-l:libz.a", "-lpthread"], []),
    "pugixml": ("pugixml", ["-l:libpugixml.a"], []),
    "re2": ("re2", ["-l:libre2.a", "-lpthread"], []),
    "sqlite": ("sqlite3", ["-l:libsqlite3.a", "-lm", "-ldl", "-lpthread"], []),
    "ssh": ("libssh", None, [":ssl"]),
    "ssl": ("openssl", None, []),
    "ssl_static": ("openssl", ["-l:libssl.a", "-l:libcrypto.a", "-ldl", "-lpthread"], []),
    "yaml": ("yaml-cpp", ["-l:libyaml-cpp.a"], []),
}

# What Debian compiled cpp-httplib with; its classes are laid out accordingly.
_DEFINES = {
    "httplib": [
        "CPPHTTPLIB_OPENSSL_SUPPORT",
        "CPPHTTPLIB_ZLIB_SUPPORT",
        "CPPHTTPLIB_BROTLI_SUPPORT",
    ],
}

_GRPC = ["-l:lib%s.a" % name for name in [
    "grpc++",
    "grpc",
    "gpr",
    "address_sorting",
    "upb",
    "cares",
]]

def _run(ctx, command):
    result = ctx.execute(command)
    if result.return_code:
        fail("%s: %s\nRun deploy/install-deps.sh to install what the build needs." %
             (" ".join(command), result.stderr.strip()))
    return result.stdout.strip()

def _library(name, link_options, deps, defines = []):
    return """cc_library(
    name = "{name}",
    defines = {defines},
    linkopts = {linkopts},
    deps = {deps},
)
""".format(name = name, defines = defines, linkopts = link_options, deps = deps)

def _impl(ctx):
    blocks = ['package(default_visibility = ["//visibility:public"])\n']

    # Test-only archives of Abseil are left out: they pull in GoogleTest.
    archives = _run(ctx, ["sh", "-c", "ls $(pkg-config --variable=libdir absl_base) | " +
                                      "grep '^libabsl_.*[.]a$' | grep -vE 'flags_|mock|hash_generator|scoped_set_env'"])
    blocks.append(_library("absl", ["-l:" + a for a in archives.split("\n")] + ["-lpthread"], []))
    blocks.append(_library("grpc", _GRPC + ["-ldl"], [":absl", ":protobuf", ":re2"]))
    blocks.append(_library("grpc_admin", ["-l:libgrpc++_reflection.a", "-l:libgrpcpp_channelz.a"], [":grpc"]))

    for name, (package, link_options, deps) in _LIBRARIES.items():
        if package:
            _run(ctx, ["pkg-config", "--print-errors", "--exists"] + package.split(" "))
        if link_options == None:
            link_options = _run(ctx, ["pkg-config", "--libs"] + package.split(" ")).split(" ")
        blocks.append(_library(name, link_options, deps, _DEFINES.get(name, [])))
    ctx.file("BUILD.bazel", "\n".join(blocks))

system_libraries = repository_rule(
    implementation = _impl,
    local = True,
    environ = ["PKG_CONFIG_PATH"],
    doc = "Declares @system, one target for each library the project uses.",
)
