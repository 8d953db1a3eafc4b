#include "drivers/vmwarevsphere/settings.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

constexpr absl::string_view kPortFlag = "vmwarevsphere-vcenter-port";
constexpr absl::string_view kCaFileFlag = "vmwarevsphere-ca";
constexpr absl::string_view kUserDataFlag = "vmwarevsphere-cloud-config";
constexpr absl::string_view kUserDataTextFlag = "vmwarevsphere-cloud-config-text";
constexpr absl::string_view kExtraFlag = "vmwarevsphere-cfgparam";
constexpr absl::string_view kSshUserFlag = "vmwarevsphere-ssh-user";
constexpr absl::string_view kSshPortFlag = "vmwarevsphere-ssh-port";

// guestinfo has this much for all that it carries, and base64 takes a third of it.
constexpr size_t kMaxUserDataBytes = 48 << 10;
constexpr size_t kSha1Digits = 40;
constexpr size_t kSha256Digits = 64;

Flags& AddServerFlags(Flags& flags) {
  return flags.String(kVcenterFlag)
      .Usage("Name or address of the vCenter, or of an ESXi host")
      .Env("VSPHERE_VCENTER")
      .Required()
      .Int(kPortFlag)
      .Usage("Port of the vCenter or host")
      .Env("VSPHERE_VCENTER_PORT")
      .Default(int64_t{443})
      .Range(1, 65535)
      .String(kUsernameFlag)
      .Usage("User")
      .Env("VSPHERE_USERNAME")
      .Required()
      .String(kPasswordFlag)
      .Usage("The user's password")
      .Env("VSPHERE_PASSWORD")
      .Secret()
      .Required()
      .String(kCaFileFlag)
      .Usage("File with the authority that signed the server's certificate, as PEM")
      .Env("VSPHERE_CA")
      .ContentTo(kCaFlag)
      .String(kCaFlag)
      .Usage("That authority as text")
      .String(kThumbprintFlag)
      .Usage("SHA-256 or SHA-1 of the server's certificate, which is then trusted by that alone")
      .Env("VSPHERE_THUMBPRINT");
}

Flags& AddSourceFlags(Flags& flags) {
  return flags.String(kCloneFromFlag)
      .Usage("Template or virtual machine to clone (default: the one template of the datacenter)")
      .Env("VSPHERE_CLONE_FROM")
      .String(kLibraryFlag)
      .Usage("OVF or virtual machine template in a content library to deploy, as LIBRARY/ITEM")
      .Env("VSPHERE_CONTENT_LIBRARY")
      .String(kIsoFlag)
      .Usage("URL of a boot2docker ISO to boot from an empty disk")
      .Env("VSPHERE_BOOT2DOCKER_URL");
}

Flags& AddPlaceFlags(Flags& flags) {
  return flags.String(kDatacenterFlag)
      .Usage("Datacenter (default: the only one)")
      .Env("VSPHERE_DATACENTER")
      .String(kFolderFlag)
      .Usage("Folder of virtual machines (default: the datacenter's)")
      .Env("VSPHERE_FOLDER")
      .String(kPoolFlag)
      .Usage("Resource pool, cluster or host to take from (default: the largest cluster or host)")
      .Env("VSPHERE_POOL")
      .String(kHostFlag)
      .Alias("vmwarevsphere-compute-ip")
      .Usage("Host to run on (default: the cluster's choice)")
      .Env("VSPHERE_HOSTSYSTEM")
      .Env("VSPHERE_COMPUTE_IP")
      .String(kDatastoreFlag)
      .Usage("Datastore (default: the one with the most free space)")
      .Env("VSPHERE_DATASTORE")
      .String(kPodFlag)
      .Usage(
          "Datastore cluster; Storage DRS says which of its datastores a clone goes to, else the "
          "one with "
          "the most free space is taken")
      .Env("VSPHERE_DATASTORE_CLUSTER")
      .StringList(kNetworkFlag)
      .Usage(
          "Network of a card; several for several cards (default: the template's, or the only one)")
      .Env("VSPHERE_NETWORK");
}

Flags& AddHardwareFlags(Flags& flags) {
  return flags.Int(kCpuFlag)
      .Usage("Number of CPUs")
      .Env("VSPHERE_CPU_COUNT")
      .Default(int64_t{2})
      .Range(1, 768)
      .Int(kMemoryFlag)
      .Usage("Memory")
      .Env("VSPHERE_MEMORY_SIZE")
      .Unit("MiB")
      .Default(int64_t{2048})
      .Range(4, 24 << 20)
      .Int(kDiskFlag)
      .Usage("Size of the disk; a template's larger one stays as it is")
      .Env("VSPHERE_DISK_SIZE")
      .Unit("MiB")
      .Default(int64_t{20000})
      .Range(1, 62 << 20);
}

// "https://vc:8443" as well as "vc".
absl::Status ReadServer(const Options& options, Credentials& credentials) {
  credentials.host = options.GetString(kVcenterFlag);
  credentials.port = static_cast<int>(options.GetInt(kPortFlag));
  if (absl::StrContains(credentials.host, "://")) {
    DM_ASSIGN_OR_RETURN(const std::string url, ParseApiEndpoint(kVcenterFlag, credentials.host));
    credentials.plain_http = absl::StartsWith(url, "http:");
    credentials.host = url.substr(url.find("://") + 3);
    credentials.host = credentials.host.substr(0, credentials.host.find('/'));
    const size_t colon = credentials.host.rfind(':');
    if (colon != std::string::npos && credentials.host.back() != ']') {
      if (!absl::SimpleAtoi(credentials.host.substr(colon + 1), &credentials.port)) {
        return BadOption(kVcenterFlag, "the URL has no number as its port");
      }
      credentials.host.resize(colon);
    }
  }
  credentials.host = absl::StrReplaceAll(credentials.host, {{"[", ""}, {"]", ""}});
  const bool well_formed =
      !credentials.host.empty() &&
      std::all_of(credentials.host.begin(), credentials.host.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(".-_:", c);
      });
  if (well_formed) return absl::OkStatus();
  return BadOption(kVcenterFlag, "give the name or the address of a vCenter or ESXi host");
}

absl::StatusOr<std::string> ReadThumbprint(const Options& options) {
  const std::string digits = absl::AsciiStrToLower(
      absl::StrReplaceAll(options.GetString(kThumbprintFlag), {{":", ""}, {" ", ""}}));
  const bool well_formed =
      (digits.empty() || digits.size() == kSha1Digits || digits.size() == kSha256Digits) &&
      std::all_of(digits.begin(), digits.end(),
                  [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
  if (well_formed) return digits;
  return BadOption(kThumbprintFlag, "a SHA-256 has 64 hexadecimal digits and a SHA-1 40");
}

}  // namespace

Flags VsphereFlags() {
  Flags flags;
  AddServerFlags(flags);
  AddSourceFlags(flags);
  AddPlaceFlags(flags);
  AddHardwareFlags(flags);
  return flags.String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("VSPHERE_CLOUD_CONFIG")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text")
      .StringList(kExtraFlag)
      .Usage("Advanced setting of the virtual machine, as KEY=VALUE")
      .Env("VSPHERE_CFGPARAM")
      .String(kSshUserFlag)
      .Usage("User to log in as; made by cloud-init, with sudo")
      .Env("VSPHERE_SSH_USER")
      .Default("docker")
      .String("vmwarevsphere-ssh-key-path")
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("VSPHERE_SSH_KEY_PATH")
      .SshPrivateKey()
      .Int(kSshPortFlag)
      .Usage("Port of the image's ssh server")
      .Env("VSPHERE_SSH_PORT")
      .Default(int64_t{22})
      .Range(1, 65535);
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings;
  settings.clone_from = options.GetString(kCloneFromFlag);
  settings.library_item = options.GetString(kLibraryFlag);
  settings.iso_url = options.GetString(kIsoFlag);
  const int sources = static_cast<int>(!settings.clone_from.empty()) +
                      static_cast<int>(!settings.library_item.empty()) +
                      static_cast<int>(!settings.iso_url.empty());
  if (sources > 1) {
    return BadOption(kCloneFromFlag, absl::StrCat("give one of --", kCloneFromFlag, ", --",
                                                  kLibraryFlag, " and --", kIsoFlag));
  }
  const size_t slash = settings.library_item.find('/');
  if (!settings.library_item.empty() &&
      (slash == 0 || slash == std::string::npos || slash + 1 == settings.library_item.size())) {
    return BadOption(kLibraryFlag, "give the library and the item in it as LIBRARY/ITEM");
  }
  if (!settings.iso_url.empty() && !absl::StartsWith(settings.iso_url, "http://") &&
      !absl::StartsWith(settings.iso_url, "https://")) {
    return BadOption(kIsoFlag, "give an http or https URL");
  }
  settings.networks = options.GetList(kNetworkFlag);
  settings.datastore = options.GetString(kDatastoreFlag);
  settings.datastore_cluster = options.GetString(kPodFlag);
  if (!settings.datastore.empty() && !settings.datastore_cluster.empty()) {
    return BadOption(kPodFlag, absl::StrCat("give this or --", kDatastoreFlag));
  }
  settings.datacenter = options.GetString(kDatacenterFlag);
  settings.pool = options.GetString(kPoolFlag);
  settings.host = options.GetString(kHostFlag);
  settings.folder = options.GetString(kFolderFlag);
  settings.cpus = options.GetInt(kCpuFlag);
  settings.memory_mib = options.GetInt(kMemoryFlag);
  if (settings.memory_mib % 4 != 0) return BadOption(kMemoryFlag, "vSphere wants a multiple of 4");
  settings.disk_mib = options.GetInt(kDiskFlag);
  settings.user_data = options.GetString(kUserDataTextFlag);
  if (settings.user_data.size() > kMaxUserDataBytes) {
    return BadOption(kUserDataFlag, "guestinfo takes at most 48 KiB of user data");
  }
  for (const std::string& entry : options.GetList(kExtraFlag)) {
    const size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return BadOption(kExtraFlag, absl::StrCat("\"", entry, "\" is not KEY=VALUE"));
    }
    settings.extra_config.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  settings.ssh_user = options.GetString(kSshUserFlag);
  settings.ssh_port = static_cast<int>(options.GetInt(kSshPortFlag));
  return settings;
}

absl::StatusOr<Credentials> ReadCredentials(const Options& options) {
  Credentials credentials;
  DM_RETURN_IF_ERROR(ReadServer(options, credentials));
  credentials.username = options.GetString(kUsernameFlag);
  credentials.password = options.GetSecret(kPasswordFlag);
  credentials.ca_pem = options.GetString(kCaFlag);
  if (!credentials.ca_pem.empty() && !absl::StrContains(credentials.ca_pem, "BEGIN CERTIFICATE")) {
    return BadOption(kCaFileFlag, "this is no certificate in PEM form");
  }
  DM_ASSIGN_OR_RETURN(credentials.thumbprint, ReadThumbprint(options));
  return credentials;
}

}  // namespace machine::driver::vmwarevsphere
