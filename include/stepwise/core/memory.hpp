#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace stepwise {

/// Bytes of memory that this process and its neighbours on the node may still use together: the smallest of
/// what the kernel calls available, what is left in the control groups (versions 1 and 2) this process is in.
/// nullopt where the system does not tell.
[[nodiscard]] std::optional<std::int64_t> available_memory();

/// Largest resident set of this process so far, in bytes.
[[nodiscard]] std::int64_t peak_memory();

/// "1.5 GiB": three significant digits and a binary unit.
[[nodiscard]] std::string format_bytes(double bytes);

}  // namespace stepwise
