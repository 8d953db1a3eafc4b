// Runs a fuzz target on the files given as arguments and on mutations of them, always the same
// ones.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutationsPerSeed = 500;

void RunOn(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

// Changes, removes, doubles or cuts off a piece, or joins in a piece of another seed.
std::string Mutate(std::string input, const std::vector<std::string>& seeds,
                   std::mt19937_64& random) {
  const auto below = [&random](size_t limit) { return limit == 0 ? 0 : random() % limit; };
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    const size_t at = below(input.size());
    const size_t length = below(input.size() - at);
    switch (below(6)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(random());
        break;
      case 1:
        input.erase(at, 1 + length / 4);
        break;
      case 2:
        input.insert(at, input.substr(at, length));
        break;
      case 3:
        input.resize(at);
        break;
      case 4:
        input.insert(at, 1, "\0\n\r\"'\\{}[]=:/-$ "[below(17)]);
        break;
      default: {
        const std::string& other = seeds[below(seeds.size())];
        const size_t from = below(other.size());
        input.insert(at, other.substr(from, below(other.size() - from)));
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> seeds;
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "%s: cannot be read\n", argv[i]);
      return 1;
    }
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds were given\n");
    return 1;
  }
  std::mt19937_64 random(1);
  RunOn("");
  for (const std::string& seed : seeds) {
    RunOn(seed);
    for (int i = 0; i < kMutationsPerSeed; ++i) RunOn(Mutate(seed, seeds, random));
  }
  std::printf("%zu seeds, %d mutations of each\n", seeds.size(), kMutationsPerSeed);
}
