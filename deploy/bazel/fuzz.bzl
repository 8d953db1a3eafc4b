"""Fuzz targets that are tests as well."""

def fuzz_test(name, deps):
    """NAME.cc defines LLVMFuzzerTestOneInput; its seeds are the files of corpus/NAME without "_fuzz".

    As a test it runs on each seed and on mutations of them, always the same. With --config=fuzz it
    is a libFuzzer program: bazel run --config=fuzz //tests/fuzz:NAME -- -max_total_time=60
    """
    seeds = native.glob(["corpus/" + name[:-len("_fuzz")] + "/*"])
    native.cc_test(
        name = name,
        size = "small",
        srcs = [name + ".cc"],
        args = ["$(location %s)" % seed for seed in seeds],
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
