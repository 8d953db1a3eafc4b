#include "drivers/hyper-v/scripts.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace machine::driver::hyperv {
namespace {

// Short, as all of it must fit into a command line of cmd.exe (8191 characters). $input, not
// [Console]::In: PowerShell itself reads standard input when it was given a command, and would be
// faster.
constexpr char kBefore[] =
    "$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue';"
    "[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false;"
    "$a=(@($input)-join'')|ConvertFrom-Json;"
    "try{$v=@(&{";
constexpr char kAfter[] =
    "});$r=@{ok=$true;value=$v}}"
    "catch{$r=@{ok=$false;error=$_.Exception.Message;id=$_.FullyQualifiedErrorId}};"
    "ConvertTo-Json -InputObject $r -Compress -Depth 5";

// First, so that names such as Get-VM, which VMware's PowerCLI has, too, are Hyper-V's.
#define USE_HYPERV "Import-Module -Name Hyper-V;"

// The machine whose files are in $a.folder.
#define FIND_MACHINE \
  USE_HYPERV         \
  "$m=Get-VM|Where-Object{($_.Path+'\\').StartsWith($a.folder+'\\','OrdinalIgnoreCase')};"

// Has a lock of $a.lock in $l within $a.wait seconds; Windows frees it with this process, however
// that ends. Other errors than that another one has it are thrown.
#define LOCK_IMAGE                                                                    \
  "$l=$null;$t=[DateTime]::UtcNow.AddSeconds($a.wait);"                               \
  "while(-not $l){try{$l=[IO.File]::Open($a.lock,'OpenOrCreate','ReadWrite','None')}" \
  "catch [IO.IOException]{if([DateTime]::UtcNow -gt $t){break};Start-Sleep -Milliseconds 300}};"

#define LOCK_IMAGE_OR_FAIL LOCK_IMAGE "if(-not $l){throw 'another driver works on this image'};"

}  // namespace

const char kFactsScript[] =
    "$p=[Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent();"
    "$i=@('S-1-5-32-544','S-1-5-32-578')|ForEach-Object{"
    "$p.IsInRole((New-Object Security.Principal.SecurityIdentifier $_))};"
    "$h=[bool](Get-Module -ListAvailable -Name Hyper-V);"
    "$w=@();if($h -and ($i -contains $true)){" USE_HYPERV
    "$w=@(Get-VMSwitch|ForEach-Object{@{name=$_.Name;type=$_.SwitchType.ToString()}})};"
    "@{hyperv=$h;allowed=($i -contains $true);cpus=[Environment]::ProcessorCount;"
    "home=$env:USERPROFILE;switches=$w}";

const char kLookScript[] = USE_HYPERV
    "Get-VM|Where-Object{($_.Path+'\\').StartsWith($a.folder+'\\','OrdinalIgnoreCase')}|"
    "ForEach-Object{$x=$_;$n=@($x.NetworkAdapters);"
    "$i=@($n|ForEach-Object{$_.IPAddresses});"
    "foreach($c in $n){if($i.Count -eq 0 -and $c.MacAddress){"
    "$k=$c.MacAddress -replace '(..)(?=.)','$1-';"
    "$i=@(Get-NetNeighbor -LinkLayerAddress $k -AddressFamily IPv4 -ErrorAction SilentlyContinue|"
    "Where-Object{$_.State.ToString() -ne 'Unreachable'}|ForEach-Object{$_.IPAddress})}};"
    "@{name=$x.Name;id=$x.Id.ToString();path=$x.Path;state=$x.State.ToString();"
    "notes=[string]$x.Notes;cds=@($x.DVDDrives).Count;addresses=$i}}";

const char kNamesScript[] = USE_HYPERV
    "Get-VM|Where-Object{$_.Name -eq $a.name -and "
    "-not ($_.Path+'\\').StartsWith($a.folder+'\\','OrdinalIgnoreCase')}|"
    "ForEach-Object{$_.Id.ToString()}";

const char kWriteScript[] =
    "$null=New-Item -ItemType Directory -Force -Path $a.folder;"
    "if($a.path){[IO.File]::WriteAllBytes($a.path,[Convert]::FromBase64String($a.data))}";

const char kStatScript[] =
    "if(Test-Path -LiteralPath $a.path){$f=[IO.File]::OpenRead($a.path);"
    "try{$b=New-Object byte[] 512;$n=$f.Read($b,0,512);"
    "@{size=$f.Length;head=[Convert]::ToBase64String($b,0,$n)}}finally{$f.Dispose()}}"
    "else{@{size=-1;head=''}}";

// With Stop, PowerShell 5.1 would make an exception of the first line on curl's standard error.
const char kFetchScript[] = LOCK_IMAGE
    "if(-not $l){@{code=0;busy=$true}}"
    "elseif(Test-Path -LiteralPath $a.to){@{code=0}}"
    "else{$ErrorActionPreference='Continue';"
    "$e=& curl.exe --silent --show-error --fail --location --continue-at - --max-time $a.seconds "
    "--output $a.path -- $a.url 2>&1|ForEach-Object{[string]$_}|Out-String;"
    "$s=0;if(Test-Path -LiteralPath $a.path){$s=(Get-Item -LiteralPath $a.path).Length};"
    "@{code=$LASTEXITCODE;size=$s;words=$e}}";

const char kTextScript[] =
    "$t=& curl.exe --silent --fail --location --max-time 60 -- $a.url|Out-String;"
    "@{code=$LASTEXITCODE;text=$t}";

const char kDigestScript[] =
    LOCK_IMAGE_OR_FAIL "(Get-FileHash -LiteralPath $a.path -Algorithm $a.algorithm).Hash.ToLower()";

const char kMoveScript[] = LOCK_IMAGE_OR_FAIL
    "if($a.to){Move-Item -LiteralPath $a.path -Destination $a.to -Force}"
    "elseif(Test-Path -LiteralPath $a.path){Remove-Item -LiteralPath $a.path -Force}";

const char kDiskScript[] = USE_HYPERV
    "foreach($p in @($a.disk,$a.part)){"
    "if(Test-Path -LiteralPath $p){Remove-Item -LiteralPath $p -Force}};"
    "$s=$a.image;if($a.footer){Copy-Item -LiteralPath $s -Destination $a.part;"
    "$f=[IO.File]::Open($a.part,'Append');$b=[Convert]::FromBase64String($a.footer);"
    "try{$f.Write($b,0,$b.Length)}finally{$f.Dispose()};$s=$a.part};"
    "Convert-VHD -Path $s -DestinationPath $a.disk -VHDType Dynamic;"
    "if($a.footer){Remove-Item -LiteralPath $a.part -Force};"
    "$z=(Get-VHD -Path $a.disk).Size;"
    "if($z -lt $a.size){Resize-VHD -Path $a.disk -SizeBytes $a.size};@{size=$z}";

const char kMakeScript[] = FIND_MACHINE
    "if(-not $m){$m=New-VM -Name $a.name -Generation 2 -MemoryStartupBytes $a.memory "
    "-VHDPath $a.disk -SwitchName $a.switch -Path $a.folder};"
    "Set-VM -VM $m -Notes $a.notes -AutomaticStopAction ShutDown;"
    // Windows Server 2016 has no automatic checkpoints to turn off.
    "if((Get-Command -Name Set-VM).Parameters.ContainsKey('AutomaticCheckpointsEnabled'))"
    "{Set-VM -VM $m -AutomaticCheckpointsEnabled $false};"
    "Set-VMMemory -VM $m -DynamicMemoryEnabled $a.dynamic;"
    "Set-VMProcessor -VM $m -Count $a.cpus;"
    "Set-VMNetworkAdapter -VM $m -StaticMacAddress $a.mac;"
    "if($a.vlan -gt 0){Set-VMNetworkAdapterVlan -VM $m -Access -VlanId $a.vlan};"
    "Set-VMFirmware -VM $m -EnableSecureBoot Off "
    "-FirstBootDevice (Get-VMHardDiskDrive -VM $m|Select-Object -First 1);"
    "if(@($m.DVDDrives).Count -eq 0){Add-VMDvdDrive -VM $m -Path $a.cd}";

const char kStartScript[] =
    FIND_MACHINE "if($m.State.ToString() -like 'Paused*'){Resume-VM -VM $m}else{Start-VM -VM $m}";

const char kStopScript[] = FIND_MACHINE "Stop-VM -VM $m -Confirm:$false";

const char kKillScript[] = FIND_MACHINE
    "if($m.State.ToString() -like '*Saved*'){Remove-VMSavedState -VM $m}"
    "else{Stop-VM -VM $m -TurnOff -Confirm:$false}";

const char kRemoveScript[] = FIND_MACHINE
    "if($m){if($m.State.ToString() -like '*Saved*'){Remove-VMSavedState -VM $m}"
    "elseif($m.State.ToString() -notlike 'Off*'){Stop-VM -VM $m -TurnOff -Confirm:$false};"
    "Remove-VM -VM $m -Force};"
    "if(Test-Path -LiteralPath $a.folder){Remove-Item -LiteralPath $a.folder -Recurse -Force}";

absl::Span<const std::pair<absl::string_view, const char*>> AllScripts() {
  static constexpr std::pair<absl::string_view, const char*> kAll[] = {
      {"facts", kFactsScript}, {"look", kLookScript},     {"names", kNamesScript},
      {"write", kWriteScript}, {"stat", kStatScript},     {"fetch", kFetchScript},
      {"text", kTextScript},   {"digest", kDigestScript}, {"move", kMoveScript},
      {"disk", kDiskScript},   {"make", kMakeScript},     {"start", kStartScript},
      {"stop", kStopScript},   {"kill", kKillScript},     {"remove", kRemoveScript}};
  return kAll;
}

std::string WholeScript(absl::string_view script) { return absl::StrCat(kBefore, script, kAfter); }

std::string EncodedCommand(absl::string_view text) {
  std::string wide;
  for (const char c : text) {
    wide.push_back(c);
    wide.push_back('\0');
  }
  return absl::Base64Escape(wide);
}

absl::StatusOr<std::string> DecodeCommand(absl::string_view encoded) {
  std::string wide;
  if (!absl::Base64Unescape(encoded, &wide) || wide.size() % 2 != 0) {
    return absl::InvalidArgumentError("no UTF-16LE in base64");
  }
  std::string text;
  for (size_t i = 0; i < wide.size(); i += 2) {
    if (wide[i + 1] != '\0') return absl::InvalidArgumentError("not ASCII");
    text.push_back(wide[i]);
  }
  return text;
}

}  // namespace machine::driver::hyperv
