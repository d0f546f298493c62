#pragma once

#include <hdf5.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stepwise/core/error.hpp"

namespace stepwise::h5 {

/// Owns one HDF5 identifier and closes it with the function that fits its kind. Move-only.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Handle() = default;
  /// Takes ownership of `id`. @throws Error(io) with HDF5's own reason when `id` is negative; `what` says what was
  /// tried.
  Handle(hid_t id, Close closer, std::string_view what);
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { reset(); }

  [[nodiscard]] hid_t id() const noexcept { return id_; }
  // NOLINTNEXTLINE(google-explicit-constructor): every HDF5 call takes the identifier
  operator hid_t() const noexcept { return id_; }

  /// Closes now and checks the status. @throws Error(io).
  void close(std::string_view what);
  /// Gives up the identifier without closing it: for handles whose closing is collective while one rank alone unwinds.
  void release() noexcept { id_ = H5I_INVALID_HID; }

 private:
  void reset() noexcept;

  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

/// Checks the status of a call that returns no identifier. @throws Error(io) with HDF5's own reason.
void check(herr_t status, std::string_view what);

/// Why the last HDF5 call failed, in HDF5's words.
[[nodiscard]] std::string reason();

/// Turns off HDF5's habit of printing its error stack; errors reach the user as exceptions instead.
void silence_errors();

/// Dimensions of a dataset.
[[nodiscard]] std::vector<hsize_t> extents(const Handle& dataset);

/// Opens an existing file for reading, on this rank alone.
/// @throws Error(input) when it is missing, not readable or not HDF5.
[[nodiscard]] Handle open_for_reading(const std::string& path);

}  // namespace stepwise::h5
