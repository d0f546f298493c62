#pragma once

#include <gtest/gtest.h>
#include <hdf5_hl.h>
#include <sys/resource.h>

#include <csignal>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/h5/handle.hpp"
#include "stepwise/io/result_file.hpp"
#include "support/grids.hpp"

namespace stepwise::test {

/// Something small and complete.
inline std::int64_t write_number(const std::string& path, double number, bool force = false) {
  ResultFile out(world(), path, force);
  out.write({"/number", "1", "a number", {}}, {}, std::vector{number});
  return out.commit();
}

/// Rows numbered from 0 with entry 100 i + j; rank r holds sizes[r] of them.
inline BlockVector deal(const std::vector<std::int64_t>& sizes, std::int64_t width) {
  const auto rank = static_cast<std::size_t>(world().rank());
  BlockVector v;
  v.samples = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  v.width = width;
  v.range.begin = std::accumulate(sizes.begin(), sizes.begin() + world().rank(), std::int64_t{0});
  v.range.end = v.range.begin + sizes[rank];
  for (std::int64_t i = v.range.begin; i < v.range.end; ++i) {
    for (std::int64_t j = 0; j < width; ++j) v.data.push_back(static_cast<double>(100 * i + j));
  }
  return v;
}

/// Ways to deal `groups` groups of `group` rows: evenly, all to the first rank, to the last, to every other one.
inline std::vector<std::vector<std::int64_t>> distributions(std::int64_t groups, std::int64_t group) {
  const auto ranks = static_cast<std::size_t>(world().size());
  std::vector<std::vector<std::int64_t>> all(4, std::vector<std::int64_t>(ranks));
  for (std::size_t r = 0; r < ranks; ++r) {
    all[0][r] = group * even_share(groups, std::ssize(all[0]), static_cast<std::int64_t>(r)).size();
  }
  all[1].front() = group * groups;
  all[2].back() = group * groups;
  const auto every_other = static_cast<std::int64_t>((ranks + 1) / 2);
  for (std::size_t r = 0; r < ranks; r += 2) {
    all[3][r] = group * even_share(groups, every_other, static_cast<std::int64_t>(r / 2)).size();
  }
  return all;
}

// What rank 0 sees in a finished file, read with the plain C interface.

inline h5::Handle open_object(const h5::Handle& in, const std::string& path) {
  return {H5Oopen(in, path.c_str(), H5P_DEFAULT), H5Oclose, "opening " + path};
}

template <class T>
std::vector<T> read(const h5::Handle& in, const std::string& path, const std::vector<hsize_t>& shape) {
  const h5::Handle dataset = open_object(in, path);
  EXPECT_EQ(h5::extents(dataset), shape) << path;
  const h5::Handle type(H5Dget_type(dataset), H5Tclose, "asking for the type");
  const hid_t native = std::is_same_v<T, double>  ? H5T_NATIVE_DOUBLE
                       : std::is_same_v<T, float> ? H5T_NATIVE_FLOAT
                                                  : H5T_NATIVE_INT64;
  EXPECT_GT(H5Tequal(type, native), 0) << path;
  std::vector<T> values(std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>()));
  h5::check(H5Dread(dataset, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "reading");
  return values;
}

inline std::string text_attribute(const h5::Handle& object, const std::string& name) {
  const h5::Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, "opening " + name);
  const h5::Handle type(H5Aget_type(attribute), H5Tclose, "asking for the type");
  EXPECT_GT(H5Tis_variable_str(type), 0) << name;
  EXPECT_EQ(H5Tget_cset(type), H5T_CSET_UTF8) << name;
  char* text = nullptr;
  h5::check(H5Aread(attribute, type, static_cast<void*>(&text)), "reading " + name);
  std::string copy = text;
  h5::check(H5free_memory(text), "freeing " + name);
  return copy;
}

template <class T>
T number_attribute(const h5::Handle& object, const std::string& name) {
  const h5::Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, "opening " + name);
  const h5::Handle type(H5Aget_type(attribute), H5Tclose, "asking for the type");
  const hid_t native = std::is_same_v<T, double> ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64;
  EXPECT_GT(H5Tequal(type, native), 0) << name;
  T value{};
  h5::check(H5Aread(attribute, native, &value), "reading " + name);
  return value;
}

inline std::vector<std::string> members(const h5::Handle& group) {
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  h5::check(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &names), "listing a group");
  return names;
}

/// Paths of the scales attached to one dimension.
inline std::vector<std::string> scales_of(const h5::Handle& dataset, unsigned dimension) {
  std::vector<std::string> paths;
  const auto visit = [](hid_t, unsigned, hid_t scale, void* data) -> herr_t {
    std::string name(100, '\0');
    name.resize(static_cast<std::size_t>(H5Iget_name(scale, name.data(), name.size())));
    static_cast<std::vector<std::string>*>(data)->push_back(name);
    return 0;
  };
  h5::check(H5DSiterate_scales(dataset, dimension, nullptr, visit, &paths), "listing the scales");
  return paths;
}

template <class Look>
void on_root(const std::string& path, Look look) {
  attempt_on_root(world(), [&] { look(h5::open_for_reading(path)); });
}

/// A full disk, played by a limit on the size of a file.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) : action_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;
  ~SizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, action_);
  }

 private:
  rlimit before_{};
  sighandler_t action_;
};

}  // namespace stepwise::test
