// Stands for powershell.exe on a Windows host with Hyper-V. It takes only the driver's own scripts,
// letter by letter, with arguments of the right types; what it knows is in
// $FAKE_HYPERV_DIR/state.json: machines by folder, files, urls, switches, and orders of tests
// (ignores_stop, no_address, fails: a script's name, no_hyperv, not_allowed, chatters; held: so
// many times another driver has the lock of an image, held_finishes: and has the image in the end).
//
// What the scripts may call is held against Microsoft's reference in
// drivers/hyper-v/scripts_test.cc. Properties of a machine (State, Path, Notes, Id, NetworkAdapters
// with MacAddress and IPAddresses, DVDDrives) are those that docker/machine and
// packer-plugin-hyperv read. New-VM puts the files into a folder named as the machine below -Path,
// which is then its Path. Remove-VM leaves disks.
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/hyper-v/scripts.h"
#include "services/common/file/file.h"
#include "services/common/process/unique_fd.h"
#include "tests/fakes/killer/driver_killer.h"

namespace {

using Json = nlohmann::ordered_json;

struct Refused : std::runtime_error {
  Refused(const std::string& words, std::string its_id = "InvalidParameter")
      : std::runtime_error(words), id(std::move(its_id)) {}
  const std::string id;
};

bool Below(const std::string& path, const std::string& folder) {
  return absl::StartsWithIgnoreCase(path + "\\", folder + "\\");
}

class FakeHyperv {
 public:
  FakeHyperv(Json& state, const Json& arguments) : state_(state), a_(arguments) {}

  Json Run(const std::string& script) {
    if (state_["orders"].value("fails", "") == script) throw Refused("Trouble with " + script);
    if (script == "facts") return Facts();
    if (script == "look") return Look();
    if (script == "names") return Names();
    if (script == "write") return Write();
    if (script == "stat") return Stat();
    if (script == "fetch") return Fetch();
    if (script == "text") return {{"code", 0}, {"text", state_["urls"].value(Text("url"), "")}};
    if (script == "digest") return Digest();
    if (script == "move") return Move();
    if (script == "disk") return Disk();
    if (script == "make") return Make();
    if (script == "remove") return Remove();
    return Power(script);
  }

 private:
  std::string Text(const char* key) const {
    if (!a_.contains(key) || !a_[key].is_string()) throw Refused(absl::StrCat("no ", key));
    return a_[key];
  }
  int64_t Number(const char* key, int64_t least) const {
    if (!a_.contains(key) || !a_[key].is_number_integer() || a_[key].get<int64_t>() < least) {
      throw Refused(absl::StrCat("no ", key));
    }
    return a_[key];
  }
  bool Ordered(const char* order) const { return state_["orders"].value(order, false); }

  Json& Vm() {
    for (auto& [path, vm] : state_["vms"].items()) {
      if (Below(path, Text("folder"))) return vm;
    }
    throw Refused("Cannot validate argument on parameter 'VM'. The argument is null.",
                  "ParameterArgumentValidationErrorNullNotAllowed");
  }

  Json Facts() const {
    return {{"hyperv", !Ordered("no_hyperv")},
            {"allowed", !Ordered("not_allowed")},
            {"cpus", 4},
            {"home", "C:\\Users\\me"},
            {"switches", state_["switches"]}};
  }

  Json Look() const {
    Json rows = Json::array();
    for (const auto& [path, vm] : state_["vms"].items()) {
      if (!Below(path, Text("folder"))) continue;
      Json row = vm;
      row["path"] = path;
      const bool up = vm["state"] == "Running" || vm["state"] == "Paused";
      row["addresses"] = up && !Ordered("no_address")
                             ? Json::array({"fe80::215:5dff:fe00:1", "172.20.0.5"})
                             : Json::array();
      rows.push_back(row);
    }
    return rows;
  }

  Json Names() const {
    Json ids = Json::array();
    for (const auto& [path, vm] : state_["vms"].items()) {
      if (vm["name"] == Text("name") && !Below(path, Text("folder"))) ids.push_back(vm["id"]);
    }
    return ids;
  }

  Json Write() {
    Text("folder");
    if (!a_.contains("path")) return nullptr;
    std::string data;
    if (!absl::Base64Unescape(Text("data"), &data)) throw Refused("no base64");
    state_["files"][Text("path")] = {{"size", data.size()}, {"head", "CD"}, {"cd", true}};
    state_["written"] = Text("data");
    return nullptr;
  }

  Json Stat() const {
    const auto file = state_["files"].find(Text("path"));
    if (file == state_["files"].end()) return {{"size", -1}, {"head", ""}};
    return {{"size", (*file)["size"]},
            {"head", absl::Base64Escape((*file)["head"].get<std::string>())}};
  }

  // Whoever touches a file of the cache waits for a lock beside it.
  void NeedLock() const {
    Number("wait", 1);
    const std::string part = Text("path");
    if (!absl::EndsWith(part, ".part") ||
        Text("lock") != part.substr(0, part.size() - 5) + ".lock") {
      throw Refused("another lock than other drivers take");
    }
  }

  Json Digest() const {
    NeedLock();
    const auto file = state_["files"].find(Text("path"));
    if (file == state_["files"].end()) throw Refused("no such file", "FileNotFound");
    return (*file)["digest"];
  }

  Json Fetch() {
    Number("seconds", 1);
    NeedLock();
    const int held = state_["orders"].value("held", 0);
    if (held > 0) {
      state_["orders"]["held"] = held - 1;
      if (held == 1 && Ordered("held_finishes")) {
        state_["files"][Text("to")] = state_["urls"][Text("url")];
      }
      return {{"code", 0}, {"busy", true}};
    }
    if (state_["files"].contains(Text("to"))) return {{"code", 0}};
    const auto url = state_["urls"].find(Text("url"));
    if (url == state_["urls"].end()) {
      return {{"code", 22}, {"size", 0}, {"words", "The requested URL returned error: 404"}};
    }
    // The first turn does not get all.
    Json& file = state_["files"][Text("path")];
    const bool first = file.is_null();
    if (!first && file["size"] == (*url)["size"]) {
      return {{"code", 22}, {"size", file["size"]}, {"words", "returned error: 416"}};
    }
    file = *url;
    if (first) file["size"] = 512;
    return {{"code", first ? 28 : 0}, {"size", file["size"]}, {"words", "timed out"}};
  }

  Json Move() {
    NeedLock();
    const Json file = state_["files"].value(Text("path"), Json());
    if (file.is_null() && a_.contains("to")) throw Refused("no such file", "PathNotFound");
    state_["files"].erase(Text("path"));
    if (a_.contains("to")) state_["files"][Text("to")] = file;
    return nullptr;
  }

  Json Disk() {
    const auto image = state_["files"].find(Text("image"));
    if (image == state_["files"].end()) throw Refused("no such image", "ObjectNotFound");
    const bool raw = !Text("footer").empty();
    std::string footer;
    absl::Base64Unescape(Text("footer"), &footer);
    const bool is_vhd = (*image)["head"] == "vhdxfile" || (*image)["head"] == "conectix";
    if (raw == is_vhd || (raw && !absl::StartsWith(footer, "conectix"))) {
      throw Refused("The file or directory is corrupted", "VirtualizationException");
    }
    const int64_t size = (*image).value("disk", (*image)["size"].get<int64_t>());
    state_["files"][Text("disk")] = {{"size", std::max(size, Number("size", 1))},
                                     {"head", "vhdxfile"}};
    return {{"size", size}};
  }

  Json Make() {
    const std::string folder = Text("folder");
    const int64_t memory = Number("memory", 32 << 20);
    if (memory % (2 << 20) != 0) throw Refused("Invalid memory");
    if (!a_["dynamic"].is_boolean() || Number("cpus", 1) > 1024) throw Refused("Invalid CPUs");
    bool known = false;
    for (const auto& entry : state_["switches"]) known = known || entry["name"] == Text("switch");
    if (!known) throw Refused("Hyper-V was unable to find a virtual switch", "ObjectNotFound");
    if (Text("mac").size() != 12) throw Refused("Invalid MAC address");
    if (!state_["files"].contains(Text("disk"))) throw Refused("no disk", "ObjectNotFound");
    Json* vm = nullptr;
    for (auto& [path, other] : state_["vms"].items()) {
      if (Below(path, folder)) vm = &other;
    }
    if (vm == nullptr) {
      vm = &state_["vms"][folder + "\\" + Text("name")];
      *vm = {{"name", Text("name")},
             {"id", "8e5b0e43-0000-4000-8000-000000000001"},
             {"state", "Off"},
             {"notes", ""},
             {"cds", 0}};
    }
    if (Ordered("half")) throw Refused("Interrupted", "Interrupted");
    if ((*vm)["state"] != "Off") throw Refused("The operation cannot be performed", "InvalidState");
    (*vm)["notes"] = Text("notes");
    (*vm)["memory"] = memory;
    (*vm)["dynamic"] = a_["dynamic"];
    (*vm)["cpus"] = a_["cpus"];
    (*vm)["switch"] = Text("switch");
    (*vm)["mac"] = Text("mac");
    (*vm)["vlan"] = Number("vlan", 0);
    if (!state_["files"].value(Text("cd"), Json::object()).value("cd", false)) {
      throw Refused("no CD", "ObjectNotFound");
    }
    (*vm)["cds"] = 1;
    return nullptr;
  }

  Json Power(const std::string& script) {
    Json& vm = Vm();
    const std::string now = vm["state"];
    if (script == "start") {
      if (now != "Running") vm["starts"] = vm.value("starts", 0) + (now == "Paused" ? 0 : 1);
      vm["state"] = "Running";
    } else if (script == "stop") {
      if (now != "Running") throw Refused("The operation cannot be performed", "InvalidState");
      if (!Ordered("ignores_stop")) vm["state"] = "Off";
    } else if (script == "kill") {
      vm["state"] = "Off";
    } else {
      throw Refused("no such script");
    }
    return nullptr;
  }

  Json Remove() {
    const std::string folder = Text("folder");
    Json vms = Json::object();
    for (const auto& [path, vm] : state_["vms"].items()) {
      if (!Below(path, folder)) vms[path] = vm;
    }
    Json files = Json::object();
    for (const auto& [path, file] : state_["files"].items()) {
      if (!Below(path, folder)) files[path] = file;
    }
    state_["vms"] = vms;
    state_["files"] = files;
    return nullptr;
  }

  Json& state_;
  const Json& a_;
};

// The name of the script in the command line.
std::string ScriptOf(const std::vector<std::string>& args) {
  const std::vector<std::string> expected = {
      "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-OutputFormat",
      "Text",       "-EncodedCommand"};
  if (args.size() != expected.size() + 1 ||
      !std::equal(expected.begin(), expected.end(), args.begin())) {
    throw std::runtime_error("an unexpected command line");
  }
  const auto text = machine::driver::hyperv::DecodeCommand(args.back());
  if (!text.ok()) throw std::runtime_error(std::string(text.status().message()));
  for (const auto& [name, script] : machine::driver::hyperv::AllScripts()) {
    if (*text == machine::driver::hyperv::WholeScript(script)) return std::string(name);
  }
  throw std::runtime_error("a script that is none of the driver's");
}

}  // namespace

int main(int argc, char** argv) {
  const char* const folder = std::getenv("FAKE_HYPERV_DIR");
  if (folder == nullptr) return 3;
  const std::string path = std::string(folder) + "/state.json";
  const machine::common::UniqueFd lock(
      open((std::string(folder) + "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  flock(lock.get(), LOCK_EX);
  machine::fakes::DriverKiller killer(folder);
  killer.BeforeEffect();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  Json state = Json::parse(text);
  const std::string input{std::istreambuf_iterator<char>(std::cin.rdbuf()),
                          std::istreambuf_iterator<char>()};
  Json answer;
  try {
    const std::string script = ScriptOf(std::vector<std::string>(argv + 1, argv + argc));
    state["log"].push_back(script);
    const Json arguments = Json::parse(input);
    Json value = FakeHyperv(state, arguments).Run(script);
    if (value.is_null()) value = Json::array();
    if (!value.is_array()) value = Json::array({value});
    answer = {{"ok", true}, {"value", value}};
  } catch (const Refused& refused) {
    answer = {{"ok", false}, {"error", refused.what()}, {"id", refused.id + ",Microsoft.HyperV"}};
  } catch (const std::exception& broken) {
    std::fprintf(stderr, "%s\n", broken.what());
    return 1;
  }
  if (state["orders"].value("chatters", false)) std::puts("WARNING: {something}\r");
  std::printf("%s\r\n", answer.dump().c_str());
  const auto written =
      machine::common::WriteFileAtomically(path, state.dump(1), 0600, {.fsync = false});
  killer.AfterEffect();
  return written.ok() ? 0 : 3;
}
