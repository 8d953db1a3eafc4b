#include "drivers/azure/flags.h"

#include "drivers/azure/settings.h"

namespace machine::driver::azure {
namespace {

Flags& AddAccountFlags(Flags& flags) {
  return flags.String(kSubscriptionFlag)
      .Usage("Subscription, by its id")
      .Env("AZURE_SUBSCRIPTION_ID")
      .Required()
      .String(kCertificateFlag)
      .Usage("PEM file with certificate and private key of the service principal")
      .Env("AZURE_SUBSCRIPTION_CERT")
      .Env("AZURE_CLIENT_CERTIFICATE_PATH")
      .ContentTo(kCertificateTextFlag)
      .String(kCertificateTextFlag)
      .Usage("Text of such a file")
      .Secret()
      .String(kClientFlag)
      .Usage("Application (client) id of the service principal, or of a managed identity")
      .Env("AZURE_CLIENT_ID")
      .String(kClientSecretFlag)
      .Usage("Secret of the service principal")
      .Env("AZURE_CLIENT_SECRET")
      .Secret()
      .String(kTenantFlag)
      .Usage("Tenant of the service principal (default: the subscription's)")
      .Env("AZURE_TENANT_ID")
      .String(kTokenFlag)
      .Usage("Access token, as \"az account get-access-token\" prints it; lasts about an hour")
      .Env("AZURE_ACCESS_TOKEN")
      .Secret()
      .Bool(kManagedIdentityFlag)
      .Usage("Use the identity of the virtual machine where the driver runs, and no other")
      .Env("AZURE_MANAGED_IDENTITY")
      .String(kEnvironmentFlag)
      .Usage("Which Azure: AzurePublicCloud, AzureUSGovernmentCloud or AzureChinaCloud")
      .Env("AZURE_ENVIRONMENT")
      .Default("AzurePublicCloud");
}

Flags& AddMachineFlags(Flags& flags) {
  return flags.String(kLocationFlag)
      .Usage("Location, as westus or \"West US\"")
      .Env("AZURE_LOCATION")
      .Default("westus")
      .String(kSizeFlag)
      .Usage("Size (default: the smallest of the location with 1 GiB of memory)")
      .Env("AZURE_SIZE")
      .String(kImageFlag)
      .Usage(
          "Image, as PUBLISHER:OFFER:SKU:VERSION or resource id (default: the newest Ubuntu LTS)")
      .Env("AZURE_IMAGE")
      .String(kUsernameFlag)
      .Usage("User to log in as; made on the machine")
      .Env("AZURE_SSH_USER")
      .Alias("azure-ssh-user")
      .Default("ubuntu")
      .String(kPasswordFlag)
      .Usage("Password of that user (default: login by key only)")
      .Secret()
      .String("azure-ssh-key-path")
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("AZURE_SSH_KEY_PATH")
      .SshPrivateKey()
      .Int("azure-ssh-port")
      .Usage("Port of the image's ssh server")
      .Default(int64_t{22})
      .Range(1, 65535)
      .Int("azure-docker-port")
      .Usage("Port of the engine")
      .Env("AZURE_DOCKER_PORT")
      .Default(int64_t{2376})
      .Range(1, 65535)
      .String(kZoneFlag)
      .Usage("Availability zone (default: none)")
      .Env("AZURE_AVAILABILITY_ZONE")
      .OneOf({"1", "2", "3"})
      .String(kAvailabilitySetFlag)
      .Usage("Refused: machines are kept apart by zones")
      .Env("AZURE_AVAILABILITY_SET")
      .DeprecatedBy("use --azure-availability-zone")
      .String(kDiskTypeFlag)
      .Usage("Type of the managed disk")
      .Env("AZURE_STORAGE_TYPE")
      .Default("StandardSSD_LRS")
      .OneOf({"Standard_LRS", "StandardSSD_LRS", "Premium_LRS"})
      .Int(kDiskSizeFlag)
      .Usage("Size of the managed disk (default: the image's)")
      .Env("AZURE_DISK_SIZE")
      .Unit("GB")
      .Range(1, 4095)
      .String("azure-custom-data")
      .Usage("File with custom data for cloud-init")
      .Env("AZURE_CUSTOM_DATA_FILE")
      .ContentTo("azure-custom-data-text")
      .String("azure-custom-data-text")
      .Usage("Custom data for cloud-init as text")
      .StringList("azure-tags")
      .Usage("Tag KEY=VALUE, or several with commas")
      .Env("AZURE_TAGS");
}

Flags& AddNetworkFlags(Flags& flags) {
  return flags.String(kGroupFlag)
      .Usage("Resource group that exists (default: one of the machine's own, deleted with it)")
      .Env("AZURE_RESOURCE_GROUP")
      .String(kNetworkFlag)
      .Usage("Virtual network that exists, as NAME or GROUP:NAME (default: the machine's own)")
      .Env("AZURE_VNET")
      .String(kSubnetFlag)
      .Usage("Subnet; of --azure-vnet it must exist")
      .Env("AZURE_SUBNET")
      .Default("docker-machine")
      .String(kSubnetPrefixFlag)
      .Usage("Range of the machine's own virtual network")
      .Env("AZURE_SUBNET_PREFIX")
      .Default("192.168.0.0/16")
      .String(kPrivateIpFlag)
      .Usage("Static private address (default: one of Azure's choice)")
      .Env("AZURE_PRIVATE_IP_ADDRESS")
      .Bool("azure-use-private-ip")
      .Usage("Reach the machine by its private address")
      .Env("AZURE_USE_PRIVATE_IP")
      .Bool(kNoPublicIpFlag)
      .Usage("Give the machine no public address")
      .Env("AZURE_NO_PUBLIC_IP")
      .Bool("azure-static-public-ip")
      .Usage("Without effect: public addresses are static")
      .Env("AZURE_STATIC_PUBLIC_IP")
      .DeprecatedBy("every public address is static since Azure has standard ones only")
      .String(kDnsFlag)
      .Usage("DNS label of the public address: LABEL.LOCATION.cloudapp.azure.com")
      .Env("AZURE_DNS_LABEL")
      .StringList(kOpenCidrFlag)
      .Usage(
          "Range that may reach ssh, the engine and swarm (3376); \"none\" for nobody from outside "
          "the virtual network (default: 0.0.0.0/0)")
      .Env("AZURE_OPEN_CIDR")
      .StringList("azure-open-port")
      .Usage("Further port for those ranges, as 8080 or 53/udp")
      .Env("AZURE_OPEN_PORT");
}

}  // namespace

Flags AzureFlags() {
  Flags flags;
  AddAccountFlags(flags);
  AddMachineFlags(flags);
  AddNetworkFlags(flags);
  return flags.String(kPublishSettingsFlag)
      .Usage("Of classic deployments: refused")
      .Env("AZURE_PUBLISH_SETTINGS_FILE")
      .DeprecatedBy("use a service principal: --azure-client-id with --azure-subscription-cert")
      .String(kEndpointFlag)
      .Usage("URL of Resource Manager (default: that of --azure-environment)")
      .Env("AZURE_ENDPOINT")
      .String(kAuthorityFlag)
      .Usage("URL where tokens are asked for (default: that of --azure-environment)")
      .Env("AZURE_AUTHORITY_HOST");
}

}  // namespace machine::driver::azure
