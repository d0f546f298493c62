#include "stepwise/h5/handle.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace stepwise::h5 {

Handle::Handle(hid_t id, Close closer, std::string_view what) : id_(id), close_(closer) {
  if (id < 0) fail(ExitCode::io, "HDF5: {} failed: {}", what, reason());
}

Handle& Handle::operator=(Handle&& other) noexcept {
  if (this != &other) {
    reset();
    id_ = std::exchange(other.id_, H5I_INVALID_HID);
    close_ = other.close_;
  }
  return *this;
}

void Handle::close(std::string_view what) {
  if (id_ >= 0) check(close_(std::exchange(id_, H5I_INVALID_HID)), what);
}

void Handle::reset() noexcept {
  if (id_ >= 0) close_(std::exchange(id_, H5I_INVALID_HID));
}

void check(herr_t status, std::string_view what) {
  if (status < 0) fail(ExitCode::io, "HDF5: {} failed: {}", what, reason());
}

std::string reason() {
  std::string text;  // the innermost entry of the error stack: without the path through the library
  const auto visit = [](unsigned, const H5E_error2_t* entry, void* data) -> herr_t {
    auto& out = *static_cast<std::string*>(data);
    if (out.empty() && entry->desc != nullptr) out = entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &text);
  return text.empty() ? "no reason given" : text;
}

void silence_errors() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::vector<hsize_t> extents(const Handle& dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose, "asking for a dataset's shape");
  const int rank = H5Sget_simple_extent_ndims(space);
  check(rank, "asking for a dataset's number of dimensions");
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space, dims.data(), nullptr), "asking for a dataset's dimensions");
  return dims;
}

Handle open_for_reading(const std::string& path) {
  silence_errors();
  // Asking the file system first gives the plain reason (no such file, permission denied).
  if (!std::ifstream(path)) fail(ExitCode::input, "{}: cannot be opened: {}", path, std::strerror(errno));
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 < 0) fail(ExitCode::io, "{}: cannot be read: {}", path, reason());
  if (is_hdf5 == 0) fail(ExitCode::input, "{}: not an HDF5 file, or truncated at its beginning", path);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) {
    const std::string why = reason();
    if (why.find("already open for") != std::string::npos) {  // HDF5 goes on to advise h5clear, which harms a live file
      fail(ExitCode::input,
           "{}: is still being written, or its writer was killed; h5py.File(name, libver=\"latest\", swmr=True) and "
           "scripts/plot.py read it all the same",
           path);
    }
    fail(ExitCode::input, "{}: HDF5 cannot open it (truncated?): {}", path, why);
  }
  return {file, H5Fclose, "opening a file"};
}

}  // namespace stepwise::h5
