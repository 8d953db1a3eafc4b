// What the published table in MACHINE_SPECS_DIR leaves out of SoftLayer's API and the driver uses
// (lists of the account, options and check of an order, tags, security groups), in the table's
// format. Methods are those of https://sldn.softlayer.com/reference/services/; what setTags (one
// text) and addRules (one list of rules) take was read in the client that the vendor generates from
// it, softlayer-go's services/virtual.go and services/network.go. Which fields of a rule are
// required is ours.
#ifndef TESTS_FAKES_SOFTLAYER_MORE_METHODS_H_
#define TESTS_FAKES_SOFTLAYER_MORE_METHODS_H_

namespace machine::fakes {

inline constexpr char kMoreSoftLayerMethods[] = R"json({
  "SoftLayer_Account": {
    "getVirtualGuests": {"rest": ["GET", "/rest/v3.1/SoftLayer_Account/getVirtualGuests"]},
    "getSshKeys": {"rest": ["GET", "/rest/v3.1/SoftLayer_Account/getSshKeys"]},
    "getNetworkVlans": {"rest": ["GET", "/rest/v3.1/SoftLayer_Account/getNetworkVlans"]},
    "getSecurityGroups": {"rest": ["GET", "/rest/v3.1/SoftLayer_Account/getSecurityGroups"]}
  },
  "SoftLayer_Virtual_Guest": {
    "getCreateObjectOptions":
      {"rest": ["GET", "/rest/v3.1/SoftLayer_Virtual_Guest/getCreateObjectOptions"]},
    "generateOrderTemplate":
      {"rest": ["POST", "/rest/v3.1/SoftLayer_Virtual_Guest/generateOrderTemplate"]},
    "setTags": {"rest": ["POST", "/rest/v3.1/SoftLayer_Virtual_Guest/{id}/setTags"]}
  },
  "SoftLayer_Network_SecurityGroup": {
    "createObject": {"rest": ["POST", "/rest/v3.1/SoftLayer_Network_SecurityGroup/createObject"],
      "input": [["name", "String", "Required"], ["description", "String", ""]]},
    "addRules": {"rest": ["POST", "/rest/v3.1/SoftLayer_Network_SecurityGroup/{id}/addRules"],
      "input": [["direction", "String", "Required"], ["ethertype", "String", ""],
                ["protocol", "String", ""], ["portRangeMin", "Integer", ""],
                ["portRangeMax", "Integer", ""], ["remoteIp", "String", ""]]},
    "deleteObject":
      {"rest": ["GET", "/rest/v3.1/SoftLayer_Network_SecurityGroup/{id}/deleteObject"]}
  }
})json";

}  // namespace machine::fakes

#endif  // TESTS_FAKES_SOFTLAYER_MORE_METHODS_H_
