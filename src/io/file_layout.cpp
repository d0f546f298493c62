#include "stepwise/io/file_layout.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <string_view>

namespace stepwise {
namespace {

constexpr hsize_t smallest_compressed = 1 << 20;  // bytes

class Info {
 public:
  explicit Info(const std::vector<std::pair<std::string, std::string>>& hints) {
    if (hints.empty()) return;
    MPI_Info_create(&info_);
    for (const auto& [key, value] : hints) MPI_Info_set(info_, key.c_str(), value.c_str());
  }
  Info(const Info&) = delete;
  Info& operator=(const Info&) = delete;
  ~Info() {
    if (info_ != MPI_INFO_NULL) MPI_Info_free(&info_);
  }
  [[nodiscard]] MPI_Info raw() const noexcept { return info_; }

 private:
  MPI_Info info_ = MPI_INFO_NULL;
};

/// The hints that the MPI standard reserves and ROMIO adds have values of a known kind; MPI would ignore others without
/// a word. @throws Error(input).
void check_hint(const std::string& key, const std::string& value) {
  const auto among = [&key](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), key) != names.end();
  };
  if (among({"striping_factor", "striping_unit", "cb_nodes", "cb_buffer_size", "cb_block_size", "ind_rd_buffer_size",
             "ind_wr_buffer_size", "num_io_nodes", "nb_proc"})) {
    std::int64_t number = 0;
    const char* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, number);
    constexpr std::int64_t largest = std::numeric_limits<int>::max();  // what MPI libraries read it into
    if (error == std::errc() && stop == end && number >= 1 && number <= largest) return;
    fail(ExitCode::input, "hint {} is '{}', must be a whole number from 1 to {}", key, value, largest);
  }
  if (among({"romio_cb_read", "romio_cb_write", "romio_ds_read", "romio_ds_write"})) {
    if (value == "enable" || value == "disable" || value == "automatic") return;
    fail(ExitCode::input, "hint {} is '{}', must be enable, disable or automatic", key, value);
  }
  if (among({"romio_no_indep_rw", "collective_buffering"})) {
    if (value == "true" || value == "false") return;
    fail(ExitCode::input, "hint {} is '{}', must be true or false", key, value);
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_hints(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> hints;
  for (std::size_t begin = 0; !text.empty() && begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == part.size() ||
        part.find_first_of(" \t") != std::string::npos) {
      fail(ExitCode::input, "'{}' is no hint: write key=value,key=value without spaces", part);
    }
    std::string key = part.substr(0, equals);
    if (equals >= MPI_MAX_INFO_KEY || part.size() - equals > MPI_MAX_INFO_VAL) {
      fail(ExitCode::input, "hint {} is too long for MPI", key);
    }
    const auto same = [&](const auto& hint) { return hint.first == key; };
    if (std::any_of(hints.begin(), hints.end(), same)) fail(ExitCode::input, "hint {} is given twice", key);
    check_hint(key, part.substr(equals + 1));
    hints.emplace_back(std::move(key), part.substr(equals + 1));
    begin = end + 1;
  }
  return hints;
}

void require_parallel_compression() {
#if !H5_VERSION_GE(1, 10, 2)
  fail(ExitCode::input, "HDF5 {}.{}.{} cannot compress what several ranks write, 1.10.2 is the first that can",
       H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
#else
  unsigned able = 0;
  if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) <= 0 || H5Zget_filter_info(H5Z_FILTER_DEFLATE, &able) < 0 ||
      (able & H5Z_FILTER_CONFIG_ENCODE_ENABLED) == 0) {
    fail(ExitCode::input, "this HDF5 library was built without deflate (zlib)");
  }
#endif
}

h5::Handle file_access(const Communicator& comm, const FileLayout& layout) {
  h5::Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "preparing file access");
  const Info info(layout.hints);
  h5::check(H5Pset_fapl_mpio(access, comm.raw(), info.raw()), "choosing MPI-IO");
  h5::check(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V110), "choosing the file version");
  if (layout.alignment > 0) {
    const auto bytes = static_cast<hsize_t>(layout.alignment);
    h5::check(H5Pset_alignment(access, bytes, bytes), "choosing the alignment");
  }
  return access;
}

h5::Handle dataset_storage(const FileLayout& layout, const std::vector<hsize_t>& extents, std::vector<hsize_t> chunk,
                           hid_t type) {
  h5::Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "preparing a dataset");
  const hsize_t bytes =
      std::accumulate(extents.begin(), extents.end(), hsize_t{H5Tget_size(type)}, std::multiplies<>());
  if (layout.compression == 0 || chunk.empty() || bytes < smallest_compressed) return properties;
  for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = std::clamp<hsize_t>(chunk[i], 1, extents[i]);
  h5::check(H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data()), "choosing chunks");
  h5::check(H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER), "choosing not to fill");  // every number is written
  h5::check(H5Pset_shuffle(properties), "choosing to shuffle");
  h5::check(H5Pset_deflate(properties, static_cast<unsigned>(layout.compression)), "choosing compression");
  return properties;
}

}  // namespace stepwise
