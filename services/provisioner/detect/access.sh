# How the login user becomes root, as facts, and the words for it in $as, which facts.cc uses next.
# shellcheck shell=sh disable=SC2034
printf '@fact user=%s\n' "$(id -un)"
as=
if [ "$(id -u)" = 0 ]; then
  echo '@fact access=root'
elif why=$(sudo -n true 2>&1); then
  as='sudo -n'
  echo '@fact access=sudo'
else
  printf '@fact access=none\n@fact access_error=%s\n' "$(printf %s "$why" | tail -n 1)"
fi
