// simcloud LEDGER PORT_FILE SEED: serves until it or its parent is killed; its port is in PORT_FILE
// once it does.
#include <signal.h>
#include <sys/prctl.h>

#include <cstdio>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "tests/fakes/simcloud/ledger.h"
#include "tests/fakes/simcloud/simcloud.h"

int main(int argc, char** argv) {
  uint64_t seed = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[3], &seed)) {
    std::fprintf(stderr, "usage: simcloud LEDGER PORT_FILE SEED\n");
    return 2;
  }
  // It never outlives the test that started it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto ledger = machine::fakes::Ledger::Open(argv[1]);
  if (!ledger.ok()) {
    std::fprintf(stderr, "simcloud: %s\n", ledger.status().ToString().c_str());
    return 1;
  }
  machine::fakes::SimCloud cloud(*std::move(ledger), seed);
  const int port = cloud.Bind();
  if (port < 0 || !machine::common::WriteFileAtomically(argv[2], absl::StrCat(port), 0600).ok()) {
    std::fprintf(stderr, "simcloud: cannot listen, or write %s\n", argv[2]);
    return 1;
  }
  cloud.Serve();
  return 0;
}
