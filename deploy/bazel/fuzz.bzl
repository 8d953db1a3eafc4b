"""Fuzz targets that are tests as well."""

def fuzz_test(name, deps):
    """NAME.cc defines LLVMFuzzerTestOneInput; its seeds are the files of corpus/NAME without "_fuzz".

    As a test it runs on each seed and on mutations of them, always the same. With --config=fuzz it
    is a libFuzzer program, which is told where its seeds are; see tests/fuzz/README.md.
    """
    seeds = native.glob(["corpus/" + name[:-len("_fuzz")] + "/*"])
    native.cc_test(
        name = name,
        size = "small",
        srcs = [name + ".cc"],
        args = select({
            "//deploy/bazel:fuzzing": [],
            "//conditions:default": ["$(location %s)" % seed for seed in seeds],
        }),
        data = seeds,
        linkopts = select({
            "//deploy/bazel:fuzzing": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps + select({
            "//deploy/bazel:fuzzing": [],
            "//conditions:default": [":replay"],
        }),
    )
