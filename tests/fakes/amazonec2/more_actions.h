// What the published subset in MACHINE_SPECS_DIR leaves out of EC2's API and the driver uses,
// written from the API's reference in the form of botocore's models:
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html, and so on under
// the action's name. Against moto all requests are checked by botocore's whole model, too.
#ifndef TESTS_FAKES_AMAZONEC2_MORE_ACTIONS_H_
#define TESTS_FAKES_AMAZONEC2_MORE_ACTIONS_H_

namespace machine::fakes {

inline constexpr char kMoreEc2Actions[] = R"json({
  "operations": {
    "DescribeRegions": {"input": {"shape": "Regions"}},
    "DescribeInstanceTypes": {"input": {"shape": "Types"}},
    "DescribeInstanceTypeOfferings": {"input": {"shape": "Offerings"}},
    "DescribeImages": {"input": {"shape": "Images"}},
    "DescribeVolumes": {"input": {"shape": "Volumes"}},
    "DeleteVolume": {"input": {"shape": "Volume"}}
  },
  "shapes": {
    "Text": {"type": "string"},
    "Flag": {"type": "boolean"},
    "Number": {"type": "integer"},
    "Texts": {"type": "list", "member": {"shape": "Text"}},
    "Location": {"type": "string", "enum": ["region", "availability-zone", "availability-zone-id"]},
    "Filter": {"type": "structure", "members": {"Name": {"shape": "Text"},
      "Values": {"shape": "Texts", "locationName": "Value"}}},
    "Filters": {"type": "list", "member": {"shape": "Filter"}},
    "Regions": {"type": "structure", "members": {
      "Filters": {"shape": "Filters", "locationName": "Filter"},
      "RegionNames": {"shape": "Texts", "locationName": "RegionName"},
      "AllRegions": {"shape": "Flag"}, "NextToken": {"shape": "Text"}}},
    "Types": {"type": "structure", "members": {
      "InstanceTypes": {"shape": "Texts", "locationName": "InstanceType"},
      "Filters": {"shape": "Filters", "locationName": "Filter"},
      "MaxResults": {"shape": "Number"}, "NextToken": {"shape": "Text"}}},
    "Offerings": {"type": "structure", "members": {
      "LocationType": {"shape": "Location"},
      "Filters": {"shape": "Filters", "locationName": "Filter"},
      "MaxResults": {"shape": "Number"}, "NextToken": {"shape": "Text"}}},
    "Images": {"type": "structure", "members": {
      "ImageIds": {"shape": "Texts", "locationName": "ImageId"},
      "Owners": {"shape": "Texts", "locationName": "Owner"},
      "Filters": {"shape": "Filters", "locationName": "Filter"},
      "MaxResults": {"shape": "Number"}, "NextToken": {"shape": "Text"}}},
    "Volumes": {"type": "structure", "members": {
      "VolumeIds": {"shape": "Texts", "locationName": "VolumeId"},
      "Filters": {"shape": "Filters", "locationName": "Filter"},
      "MaxResults": {"shape": "Number", "locationName": "maxResults"},
      "NextToken": {"shape": "Text", "locationName": "nextToken"}}},
    "Volume": {"type": "structure", "required": ["VolumeId"],
      "members": {"VolumeId": {"shape": "Text"}}}
  }
})json";

}  // namespace machine::fakes

#endif  // TESTS_FAKES_AMAZONEC2_MORE_ACTIONS_H_
