// The flags of the driver.
#ifndef DRIVERS_AZURE_FLAGS_H_
#define DRIVERS_AZURE_FLAGS_H_

#include "drivers/sdk/flags.h"

namespace machine::driver::azure {

Flags AzureFlags();

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_FLAGS_H_
