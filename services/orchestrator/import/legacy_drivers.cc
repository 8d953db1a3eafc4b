#include "services/orchestrator/import/legacy_drivers.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace machine::orchestrator {
namespace {

using machine::v1::FlagSpec;
using machine::v1::OptionValue;
using nlohmann::ordered_json;
using Type = LegacyType;

// Fields as the releases 0.1 to 0.16 of the original wrote them; a field that only some had is
// here, too. Ids that a driver found for itself are not options: they are in its state.
constexpr LegacyField kAmazonEc2[] = {
    {"AccessKey", "amazonec2-access-key", Type::kSecret},
    {"SecretKey", "amazonec2-secret-key", Type::kSecret},
    {"SessionToken", "amazonec2-session-token", Type::kSecret},
    {"Region", "amazonec2-region"},
    {"AMI", "amazonec2-ami"},
    {"InstanceType", "amazonec2-instance-type"},
    {"SecurityGroupNames", "amazonec2-security-group", Type::kList},
    {"SecurityGroupName", "amazonec2-security-group", Type::kList, "SecurityGroupNames"},
    {"SecurityGroupReadOnly", "amazonec2-security-group-readonly", Type::kBool},
    {"OpenPorts", "amazonec2-open-port", Type::kList},
    {"Tags", "amazonec2-tags"},
    {"DeviceName", "amazonec2-device-name"},
    {"RootSize", "amazonec2-root-size", Type::kInt},
    {"VolumeType", "amazonec2-volume-type"},
    {"IamInstanceProfile", "amazonec2-iam-instance-profile"},
    {"VpcId", "amazonec2-vpc-id"},
    {"SubnetId", "amazonec2-subnet-id"},
    {"Zone", "amazonec2-zone"},
    {"RequestSpotInstance", "amazonec2-request-spot-instance", Type::kBool},
    {"SpotPrice", "amazonec2-spot-price"},
    {"BlockDurationMinutes", "amazonec2-block-duration-minutes", Type::kInt},
    {"PrivateIPOnly", "amazonec2-private-address-only", Type::kBool},
    {"UsePrivateIP", "amazonec2-use-private-address", Type::kBool},
    {"UseEbsOptimizedInstance", "amazonec2-use-ebs-optimized-instance", Type::kBool},
    {"Monitoring", "amazonec2-monitoring", Type::kBool},
    {"SSHPrivateKeyPath", "amazonec2-ssh-keypath"},
    {"SSHUser", "amazonec2-ssh-user"},
    {"RetryCount", "amazonec2-retries", Type::kInt},
    {"Endpoint", "amazonec2-endpoint"},
    {"DisableSSL", "amazonec2-insecure-transport", Type::kBool},
    {"UserDataFile", "amazonec2-userdata"},
};

constexpr LegacyField kAzure[] = {
    {"SubscriptionID", "azure-subscription-id"},
    {"SubscriptionCert", "azure-subscription-cert"},
    {"PublishSettingsFilePath", "azure-publish-settings-file"},
    {"ClientID", "azure-client-id"},
    {"ClientSecret", "azure-client-secret", Type::kSecret},
    {"TenantID", "azure-tenant-id"},
    {"Environment", "azure-environment"},
    {"ResourceGroup", "azure-resource-group"},
    {"Location", "azure-location"},
    {"Size", "azure-size"},
    {"Image", "azure-image"},
    {"UserName", "azure-username"},
    {"SSHUser", "azure-ssh-user", Type::kString, "UserName"},
    {"UserPassword", "azure-password", Type::kSecret},
    {"DockerPort", "azure-docker-port", Type::kInt},
    {"SSHPort", "azure-ssh-port", Type::kInt},
    {"VirtualNetwork", "azure-vnet"},
    {"SubnetName", "azure-subnet"},
    {"SubnetPrefix", "azure-subnet-prefix"},
    {"AvailabilitySet", "azure-availability-set"},
    {"NoPublicIP", "azure-no-public-ip", Type::kBool},
    {"UsePrivateIP", "azure-use-private-ip", Type::kBool},
    {"StaticPublicIP", "azure-static-public-ip", Type::kBool},
    {"DNSLabel", "azure-dns"},
    {"StorageType", "azure-storage-type"},
    {"OpenPorts", "azure-open-port", Type::kList},
    {"PrivateIPAddr", "azure-private-ip-address"},
    {"CustomDataFile", "azure-custom-data"},
};

constexpr LegacyField kDigitalOcean[] = {
    {"AccessToken", "digitalocean-access-token", Type::kSecret},
    {"Image", "digitalocean-image"},
    {"Region", "digitalocean-region"},
    {"Size", "digitalocean-size"},
    {"IPv6", "digitalocean-ipv6", Type::kBool},
    {"Backups", "digitalocean-backups", Type::kBool},
    {"PrivateNetworking", "digitalocean-private-networking", Type::kBool},
    {"Monitoring", "digitalocean-monitoring", Type::kBool},
    {"UserDataFile", "digitalocean-userdata"},
    {"SSHKeyFingerprint", "digitalocean-ssh-key-fingerprint"},
    {"SSHKey", "digitalocean-ssh-key-path"},
    {"SSHUser", "digitalocean-ssh-user"},
    {"SSHPort", "digitalocean-ssh-port", Type::kInt},
    {"Tags", "digitalocean-tags"},
};

constexpr LegacyField kExoscale[] = {
    {"URL", "exoscale-url"},
    {"ApiKey", "exoscale-api-key", Type::kSecret},
    {"ApiSecretKey", "exoscale-api-secret-key", Type::kSecret},
    {"InstanceProfile", "exoscale-instance-profile"},
    {"DiskSize", "exoscale-disk-size", Type::kInt},
    {"Image", "exoscale-image"},
    {"SecurityGroups", "exoscale-security-group", Type::kList},
    {"SecurityGroup", "exoscale-security-group", Type::kList, "SecurityGroups"},
    {"AffinityGroups", "exoscale-affinity-group", Type::kList},
    {"AvailabilityZone", "exoscale-availability-zone"},
    {"SSHUser", "exoscale-ssh-user"},
    {"SSHKey", "exoscale-ssh-key"},
    {"UserDataFile", "exoscale-userdata"},
};

constexpr LegacyField kGeneric[] = {
    {"IPAddress", "generic-ip-address"},
    {"SSHUser", "generic-ssh-user"},
    {"SSHPort", "generic-ssh-port", Type::kInt},
    {"SSHKey", "generic-ssh-key"},
    {"EnginePort", "generic-engine-port", Type::kInt},
};

constexpr LegacyField kGoogle[] = {
    {"Project", "google-project"},
    {"Zone", "google-zone"},
    {"MachineType", "google-machine-type"},
    {"MachineImage", "google-machine-image"},
    {"DiskSize", "google-disk-size", Type::kInt},
    {"DiskType", "google-disk-type"},
    {"Address", "google-address"},
    {"Network", "google-network"},
    {"Subnetwork", "google-subnetwork"},
    {"Preemptible", "google-preemptible", Type::kBool},
    {"UseInternalIP", "google-use-internal-ip", Type::kBool},
    {"UseInternalIPOnly", "google-use-internal-ip-only", Type::kBool},
    {"UseExisting", "google-use-existing", Type::kBool},
    {"Scopes", "google-scopes"},
    {"Tags", "google-tags"},
    {"OpenPorts", "google-open-port", Type::kList},
    {"ServiceAccount", "google-service-account"},
    {"UserName", "google-username"},
    {"SSHUser", "google-username", Type::kString, "UserName"},
};

constexpr LegacyField kHyperV[] = {
    {"Boot2DockerURL", "hyper-v-boot2docker-url"},
    {"Boot2DockerLoc", "hyper-v-boot2docker-location"},
    {"VSwitch", "hyper-v-virtual-switch"},
    {"DiskSize", "hyper-v-disk-size", Type::kInt},
    {"MemSize", "hyper-v-memory", Type::kInt},
    {"CPU", "hyper-v-cpu-count", Type::kInt},
    {"MacAddr", "hyper-v-static-macaddress"},
    {"VLanID", "hyper-v-vlan-id", Type::kInt},
    {"DisableDynamicMemory", "hyper-v-disable-dynamic-memory", Type::kBool},
};

constexpr LegacyField kNone[] = {{"URL", "url"}};

constexpr LegacyField kOpenStack[] = {
    {"AuthUrl", "openstack-auth-url"},
    {"ActiveTimeout", "openstack-active-timeout", Type::kInt},
    {"Insecure", "openstack-insecure", Type::kBool},
    {"CaCert", "openstack-cacert"},
    {"DomainID", "openstack-domain-id"},
    {"DomainName", "openstack-domain-name"},
    {"Username", "openstack-username"},
    {"Password", "openstack-password", Type::kSecret},
    {"TenantName", "openstack-tenant-name"},
    {"TenantId", "openstack-tenant-id", Type::kString, "TenantName"},
    {"Region", "openstack-region"},
    {"AvailabilityZone", "openstack-availability-zone"},
    {"EndpointType", "openstack-endpoint-type"},
    {"FlavorName", "openstack-flavor-name"},
    {"FlavorId", "openstack-flavor-id", Type::kString, "FlavorName"},
    {"ImageName", "openstack-image-name"},
    {"ImageId", "openstack-image-id", Type::kString, "ImageName"},
    {"NetworkName", "openstack-net-name"},
    {"NetworkId", "openstack-net-id", Type::kString, "NetworkName"},
    {"SecurityGroups", "openstack-sec-groups", Type::kList},
    {"FloatingIpPool", "openstack-floatingip-pool"},
    {"ComputeNetwork", "openstack-nova-network", Type::kBool},
    {"IpVersion", "openstack-ip-version", Type::kInt},
    {"ConfigDrive", "openstack-config-drive", Type::kBool},
    {"PrivateKeyFile", "openstack-private-key-file"},
    {"SSHUser", "openstack-ssh-user"},
    {"SSHPort", "openstack-ssh-port", Type::kInt},
};

constexpr LegacyField kRackspace[] = {
    {"Username", "rackspace-username"},
    {"APIKey", "rackspace-api-key", Type::kSecret},
    {"Region", "rackspace-region"},
    {"EndpointType", "rackspace-endpoint-type"},
    {"ImageId", "rackspace-image-id"},
    {"FlavorId", "rackspace-flavor-id"},
    {"SSHUser", "rackspace-ssh-user"},
    {"SSHPort", "rackspace-ssh-port", Type::kInt},
    {"EnableDockerInstall", "rackspace-docker-install"},
    {"ActiveTimeout", "rackspace-active-timeout", Type::kInt},
};

constexpr LegacyField kSoftLayer[] = {
    {"Client.User", "softlayer-user"},
    {"Client.ApiKey", "softlayer-api-key", Type::kSecret},
    {"Client.Endpoint", "softlayer-api-endpoint"},
};

constexpr LegacyField kVirtualBox[] = {
    {"CPU", "virtualbox-cpu-count", Type::kInt},
    {"Memory", "virtualbox-memory", Type::kInt},
    {"DiskSize", "virtualbox-disk-size", Type::kInt},
    {"Boot2DockerURL", "virtualbox-boot2docker-url"},
    {"Boot2DockerImportVM", "virtualbox-import-boot2docker-vm"},
    {"HostDNSResolver", "virtualbox-host-dns-resolver", Type::kBool},
    {"HostOnlyCIDR", "virtualbox-hostonly-cidr"},
    {"HostOnlyNicType", "virtualbox-hostonly-nictype"},
    {"HostOnlyPromiscMode", "virtualbox-hostonly-nicpromisc"},
    {"HostOnlyNoDHCP", "virtualbox-hostonly-no-dhcp", Type::kBool},
    {"NatNicType", "virtualbox-nat-nictype"},
    {"UIType", "virtualbox-ui-type"},
    {"NoShare", "virtualbox-no-share", Type::kBool},
    {"NoVTXCheck", "virtualbox-no-vtx-check", Type::kBool},
    {"ShareFolder", "virtualbox-share-folder"},
};

constexpr LegacyField kVmwareFusion[] = {
    {"Boot2DockerURL", "vmwarefusion-boot2docker-url"},
    {"CPU", "vmwarefusion-cpu-count", Type::kInt},
    {"Memory", "vmwarefusion-memory-size", Type::kInt},
    {"DiskSize", "vmwarefusion-disk-size", Type::kInt},
    {"NoShare", "vmwarefusion-no-share", Type::kBool},
};

constexpr LegacyField kVmwareVcloudAir[] = {
    {"UserName", "vmwarevcloudair-username"},
    {"UserPassword", "vmwarevcloudair-password", Type::kSecret},
    {"ComputeID", "vmwarevcloudair-computeid"},
    {"VDCID", "vmwarevcloudair-vdcid"},
    {"OrgVDCNet", "vmwarevcloudair-orgvdcnetwork"},
    {"EdgeGateway", "vmwarevcloudair-edgegateway"},
    {"PublicIP", "vmwarevcloudair-publicip"},
    {"Catalog", "vmwarevcloudair-catalog"},
    {"CatalogItem", "vmwarevcloudair-catalogitem"},
    {"Provision", "vmwarevcloudair-provision", Type::kBool},
    {"CPUCount", "vmwarevcloudair-cpu-count", Type::kInt},
    {"MemorySize", "vmwarevcloudair-memory-size", Type::kInt},
    {"SSHPort", "vmwarevcloudair-ssh-port", Type::kInt},
    {"DockerPort", "vmwarevcloudair-docker-port", Type::kInt},
};

constexpr LegacyField kVmwareVsphere[] = {
    {"CPU", "vmwarevsphere-cpu-count", Type::kInt},
    {"Memory", "vmwarevsphere-memory-size", Type::kInt},
    {"DiskSize", "vmwarevsphere-disk-size", Type::kInt},
    {"Boot2DockerURL", "vmwarevsphere-boot2docker-url"},
    {"IP", "vmwarevsphere-vcenter"},
    {"Port", "vmwarevsphere-vcenter-port", Type::kInt},
    {"Username", "vmwarevsphere-username"},
    {"Password", "vmwarevsphere-password", Type::kSecret},
    {"Networks", "vmwarevsphere-network", Type::kList},
    {"Network", "vmwarevsphere-network", Type::kList, "Networks"},
    {"Datastore", "vmwarevsphere-datastore"},
    {"Datacenter", "vmwarevsphere-datacenter"},
    {"Folder", "vmwarevsphere-folder"},
    {"Pool", "vmwarevsphere-pool"},
    {"HostSystem", "vmwarevsphere-hostsystem"},
    {"HostIP", "vmwarevsphere-compute-ip", Type::kString, "HostSystem"},
    {"CfgParams", "vmwarevsphere-cfgparam", Type::kList},
    {"CloudInit", "vmwarevsphere-cloudinit"},
};

const LegacyDriver kDrivers[] = {
    {.name = "amazonec2",
     .ours = "amazonec2",
     .ssh_user = "ubuntu",
     .fields = kAmazonEc2,
     .id_field = "InstanceId"},
    {.name = "azure",
     .ours = "azure",
     .ssh_user = "docker-user",
     .fields = kAzure,
     .port_field = "DockerPort"},
    {.name = "digitalocean",
     .ours = "digitalocean",
     .ssh_user = "root",
     .fields = kDigitalOcean,
     .id_field = "DropletID",
     .id_is_number = true},
    {.name = "exoscale",
     .ours = "exoscale",
     .ssh_user = "ubuntu",
     .fields = kExoscale,
     .id_field = "Id"},
    {.name = "generic",
     .ours = "generic",
     .ssh_user = "root",
     .fields = kGeneric,
     .port_field = "EnginePort"},
    {.name = "google", .ours = "google", .ssh_user = "docker-user", .fields = kGoogle},
    {.name = "hyperv", .ours = "hyper-v", .ssh_user = "docker", .fields = kHyperV},
    {.name = "hyper-v", .ours = "hyper-v", .ssh_user = "docker", .fields = kHyperV},
    {.name = "none", .ours = "none", .ssh_user = "", .fields = kNone},
    {.name = "openstack",
     .ours = "openstack",
     .ssh_user = "root",
     .fields = kOpenStack,
     .id_field = "MachineId"},
    {.name = "rackspace",
     .ours = "rackspace",
     .ssh_user = "root",
     .fields = kRackspace,
     .id_field = "MachineId"},
    {.name = "softlayer",
     .ours = "softlayer",
     .ssh_user = "root",
     .fields = kSoftLayer,
     .id_field = "Id",
     .id_is_number = true},
    {.name = "virtualbox",
     .ours = "virtualbox",
     .ssh_user = "docker",
     .fields = kVirtualBox,
     .ssh_on_loopback = true},
    {.name = "vmwarefusion", .ours = "vmwarefusion", .ssh_user = "docker", .fields = kVmwareFusion},
    {.name = "vmwarevcloudair",
     .ours = "vmwarevcloudair",
     .ssh_user = "root",
     .fields = kVmwareVcloudAir,
     .ip_field = "PublicIP",
     .id_field = "VAppID",
     .port_field = "DockerPort"},
    {.name = "vmwarevsphere",
     .ours = "vmwarevsphere",
     .ssh_user = "docker",
     .fields = kVmwareVsphere},
};

bool HasValue(const ordered_json* value) {
  if (value == nullptr || value->is_null()) return false;
  if (value->is_string()) return !value->get_ref<const std::string&>().empty();
  if (value->is_array()) return !value->empty();
  if (value->is_number()) return *value != 0;
  return value->is_boolean();
}

std::vector<std::string> Texts(const ordered_json& value) {
  std::vector<std::string> texts;
  if (value.is_string()) {
    for (absl::string_view part :
         absl::StrSplit(value.get_ref<const std::string&>(), ',', absl::SkipWhitespace())) {
      texts.emplace_back(absl::StripAsciiWhitespace(part));
    }
  } else if (value.is_array()) {
    for (const ordered_json& element : value) {
      if (element.is_string()) texts.push_back(element.get<std::string>());
    }
  }
  return texts;
}

std::string Text(const ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) return absl::StrJoin(Texts(value), ",");
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_integer()) return absl::StrCat(value.get<int64_t>());
  return "";
}

std::optional<int64_t> Int(const ordered_json& value) {
  int64_t number = 0;
  if (value.is_number()) return value.get<int64_t>();
  if (value.is_string() && absl::SimpleAtoi(value.get_ref<const std::string&>(), &number)) {
    return number;
  }
  return std::nullopt;
}

std::optional<bool> Bool(const ordered_json& value) {
  if (value.is_boolean()) return value.get<bool>();
  bool flag = false;
  if (value.is_string() && absl::SimpleAtob(value.get_ref<const std::string&>(), &flag)) {
    return flag;
  }
  return std::nullopt;
}

const FlagSpec* FindFlag(absl::Span<const FlagSpec> flags, absl::string_view name) {
  for (const FlagSpec& flag : flags) {
    const auto& aliases = flag.aliases();
    if (flag.name() == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) {
      return &flag;
    }
  }
  return nullptr;
}

Type TypeOf(const FlagSpec& flag) {
  if (flag.secret()) return Type::kSecret;
  switch (flag.type()) {
    case FlagSpec::INT:
      return Type::kInt;
    case FlagSpec::BOOL:
      return Type::kBool;
    case FlagSpec::STRING_LIST:
      return Type::kList;
    default:
      return Type::kString;
  }
}

// False when the value is none of that type.
bool SetValue(Type type, const ordered_json& value, OptionValue& option) {
  switch (type) {
    case Type::kSecret:
      option.set_secret_value(Text(value));
      return !option.secret_value().empty();
    case Type::kString:
      option.set_string_value(Text(value));
      return !option.string_value().empty();
    case Type::kInt:
      if (const std::optional<int64_t> number = Int(value)) {
        option.set_int_value(*number);
        return true;
      }
      return false;
    case Type::kBool:
      if (const std::optional<bool> flag = Bool(value)) {
        option.set_bool_value(*flag);
        return true;
      }
      return false;
    case Type::kList:
      for (std::string& text : Texts(value)) {
        option.mutable_list_value()->add_values(std::move(text));
      }
      return option.has_list_value();
  }
  return false;
}

ordered_json JsonOf(const OptionValue& option, Type type) {
  switch (option.value_case()) {
    case OptionValue::kStringValue:
      return type == Type::kList ? ordered_json(Texts(option.string_value()))
                                 : ordered_json(option.string_value());
    case OptionValue::kSecretValue:
      return option.secret_value();
    case OptionValue::kIntValue:
      return option.int_value();
    case OptionValue::kBoolValue:
      return option.bool_value();
    case OptionValue::kListValue: {
      const std::vector<std::string> texts(option.list_value().values().begin(),
                                           option.list_value().values().end());
      return type == Type::kList ? ordered_json(texts) : ordered_json(absl::StrJoin(texts, ","));
    }
    case OptionValue::kSecretRef:
    case OptionValue::VALUE_NOT_SET:
      break;
  }
  return nullptr;
}

}  // namespace

const LegacyDriver* FindLegacyDriver(absl::string_view name) {
  for (const LegacyDriver& driver : kDrivers) {
    if (driver.name == name) return &driver;
  }
  return nullptr;
}

const LegacyDriver* FindLegacyDriverOfOurs(absl::string_view name) {
  for (const LegacyDriver& driver : kDrivers) {
    if (driver.ours == name) return &driver;
  }
  return nullptr;
}

const ordered_json* FindLegacyField(const ordered_json& fields, absl::string_view name) {
  const ordered_json* value = &fields;
  for (const absl::string_view part : absl::StrSplit(name, '.')) {
    if (!value->is_object()) return nullptr;
    const auto it = value->find(std::string(part));
    if (it == value->end()) return nullptr;
    value = &*it;
  }
  return value;
}

std::string LegacyText(const ordered_json& fields, absl::string_view name) {
  const ordered_json* const value = FindLegacyField(fields, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

int64_t LegacyInt(const ordered_json& fields, absl::string_view name) {
  const ordered_json* const value = FindLegacyField(fields, name);
  return value == nullptr ? 0 : Int(*value).value_or(0);
}

std::vector<OptionValue> OptionsOfLegacy(const LegacyDriver& driver, const ordered_json& fields,
                                         absl::Span<const FlagSpec> flags,
                                         std::vector<std::string>& warnings) {
  std::vector<OptionValue> options;
  for (const LegacyField& field : driver.fields) {
    const ordered_json* const value = FindLegacyField(fields, field.field);
    if (!HasValue(value)) continue;
    if (!field.unless.empty() && HasValue(FindLegacyField(fields, field.unless))) continue;
    Type type = field.type;
    OptionValue option;
    option.set_name(std::string(field.option));
    if (!flags.empty()) {
      const FlagSpec* const flag = FindFlag(flags, field.option);
      if (flag == nullptr) {
        // "false" is what the absence of an option means.
        if (*value != false) {
          warnings.push_back(absl::StrCat("the ", driver.ours, " driver has no option for ",
                                          field.field, "; it is kept for export only"));
        }
        continue;
      }
      option.set_name(flag->name());
      type = TypeOf(*flag);
    }
    if (SetValue(type, *value, option)) {
      options.push_back(std::move(option));
    } else {
      warnings.push_back(
          absl::StrCat(field.field, " has a value that --", option.name(), " cannot have"));
    }
  }
  return options;
}

void PutLegacyOptions(const LegacyDriver& driver, absl::Span<const OptionValue> options,
                      ordered_json& fields) {
  for (const OptionValue& option : options) {
    for (const LegacyField& field : driver.fields) {
      if (field.option != option.name()) continue;
      ordered_json value = JsonOf(option, field.type);
      if (value.is_null()) break;
      ordered_json* place = &fields;
      for (const absl::string_view part : absl::StrSplit(field.field, '.')) {
        if (!place->is_object()) *place = ordered_json::object();
        place = &(*place)[std::string(part)];
      }
      *place = std::move(value);
      break;  // The first field of an option is the newest edition's.
    }
  }
}

}  // namespace machine::orchestrator
