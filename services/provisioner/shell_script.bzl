"""shell_script: a shell script as a C++ string literal."""

def shell_script(name, src):
    """A cc_library whose header "<src>.inc" is the script as one raw string literal.

    Scripts stay files of their own, so that editors and shell checkers understand them.

    Args:
      name: the library.
      src: the script.
    """
    native.genrule(
        name = name + "_inc",
        srcs = [src],
        outs = [src + ".inc"],
        cmd = "{ printf 'R\"shell('; cat $<; printf ')shell\"\\n'; } > $@",
    )
    native.cc_library(
        name = name,
        textual_hdrs = [src + ".inc"],
    )
