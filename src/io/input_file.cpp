#include "stepwise/io/input_file.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <numeric>

#include "io/checks.hpp"
#include "io/transfer.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

/// In place of an extent that may be any.
constexpr std::int64_t any_extent = -1;

std::int64_t product(const std::vector<std::int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
}

std::string wanted_shape(const std::vector<std::int64_t>& extents) {
  std::vector<std::string> words;
  for (const std::int64_t extent : extents) words.push_back(extent == any_extent ? "any" : fmt::format("{}", extent));
  return fmt::format("{}", fmt::join(words, ", "));
}

std::vector<std::int64_t> shape_of(const h5::Handle& dataset) {
  const std::vector<hsize_t> dims = h5::extents(dataset);
  return {dims.begin(), dims.end()};
}

AttributeValue read_attribute(hid_t object, const std::string& path, const std::string& name) {
  const h5::Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, "opening attribute " + name);
  const h5::Handle type(H5Aget_type(attribute), H5Tclose, "asking for the type of " + name);
  const h5::Handle space(H5Aget_space(attribute), H5Sclose, "asking for the shape of " + name);
  const H5T_class_t kind = H5Tget_class(type);
  const bool text = kind == H5T_STRING && H5Tis_variable_str(type) > 0;
  if (H5Sget_simple_extent_npoints(space) != 1 || (!text && kind != H5T_INTEGER && kind != H5T_FLOAT)) {
    fail(ExitCode::input, "{}: attribute {} is neither a text nor a number", path, name);
  }
  if (text) {
    char* data = nullptr;
    h5::check(H5Aread(attribute, type, static_cast<void*>(&data)), "reading attribute " + name);
    std::string copy = data == nullptr ? "" : data;
    h5::check(H5free_memory(data), "freeing a text");
    return copy;
  }
  if (kind == H5T_INTEGER) {
    std::int64_t number = 0;
    h5::check(H5Aread(attribute, H5T_NATIVE_INT64, &number), "reading attribute " + name);
    return number;
  }
  double number = 0;
  h5::check(H5Aread(attribute, H5T_NATIVE_DOUBLE, &number), "reading attribute " + name);
  return number;
}

std::vector<std::string> attribute_names(hid_t object) {
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5A_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  h5::check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &names), "listing attributes");
  return names;
}

/// References of dimension scales, and the texts that HDF5 itself writes for them.
bool is_scale_bookkeeping(const std::string& name) {
  return name == "DIMENSION_LIST" || name == "REFERENCE_LIST" || name == "CLASS" || name == "NAME";
}

Attributes broadcast_attributes(const Communicator& comm, Attributes values) {
  auto count = static_cast<std::int64_t>(values.size());
  MPI_Bcast(&count, 1, MPI_INT64_T, 0, comm.raw());
  values.resize(static_cast<std::size_t>(count));
  for (auto& [name, value] : values) {
    name = broadcast(comm, name);
    auto kind = static_cast<std::int64_t>(value.index());
    MPI_Bcast(&kind, 1, MPI_INT64_T, 0, comm.raw());
    if (kind == 1 && value.index() != 1) value = std::int64_t{0};
    if (kind == 2 && value.index() != 2) value = 0.0;
    if (auto* text = std::get_if<std::string>(&value)) *text = broadcast(comm, *text);
    if (auto* number = std::get_if<std::int64_t>(&value)) MPI_Bcast(number, 1, MPI_INT64_T, 0, comm.raw());
    if (auto* number = std::get_if<double>(&value)) MPI_Bcast(number, 1, MPI_DOUBLE, 0, comm.raw());
  }
  return values;
}

/// @throws Error(input) when it is missing or holds another kind of numbers.
h5::Handle open_numbers(hid_t file, const std::string& path, const std::string& name, H5T_class_t kind) {
  const hid_t id = H5Dopen2(file, name.c_str(), H5P_DEFAULT);
  if (id < 0) fail(ExitCode::input, "{}: there is no dataset {}", path, name);
  h5::Handle dataset(id, H5Dclose, "opening " + name);
  const h5::Handle type(H5Dget_type(dataset), H5Tclose, "asking for the type of " + name);
  if (H5Tget_class(type) != kind) {
    fail(ExitCode::input, "{}: {} does not hold {} numbers", path, name, kind == H5T_FLOAT ? "real" : "whole");
  }
  return dataset;
}

}  // namespace

InputFile::InputFile(const Communicator& comm, std::string path) : comm_(comm), path_(std::move(path)) {
  expect_same(comm_, "reading " + path_);
  attempt_on_root(comm_, [&] { h5::open_for_reading(path_).close("looking at " + path_); });
  attempt(comm_, [&] {
    if (!std::ifstream(path_)) fail(ExitCode::input, "{}: cannot be opened: {}", path_, std::strerror(errno));
  });
  attempt(comm_, [&] {
    const h5::Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "preparing file access");
    h5::check(H5Pset_fapl_mpio(access, comm_.raw(), MPI_INFO_NULL), "choosing MPI-IO");
    file_ = h5::Handle(H5Fopen(path_.c_str(), H5F_ACC_RDONLY, access), H5Fclose, "opening " + path_);
  });
}

InputFile::~InputFile() {
  // Closing is collective: not while this rank alone unwinds.
  if (std::uncaught_exceptions() > 0 && !unwinding_together()) file_.release();
}

bool InputFile::contains(const std::string& name) {
  expect_same(comm_, "looking for " + name);
  std::int64_t found = 0;
  attempt_on_root(comm_, [&] {
    // Every group on the way must be asked for before what is in it.
    for (std::size_t end = name.find('/', 1); found >= 0; end = name.find('/', end + 1)) {
      found = H5Lexists(file_, name.substr(0, end).c_str(), H5P_DEFAULT) > 0 ? 1 : -1;
      if (end == std::string::npos) break;
    }
  });
  return max(comm_, comm_.rank() == 0 ? found : -1) > 0;
}

Attributes InputFile::attributes(const std::string& object) {
  expect_same(comm_, "attributes of " + object);
  Attributes values;
  attempt_on_root(comm_, [&] {
    const hid_t id = H5Oopen(file_, object.c_str(), H5P_DEFAULT);
    if (id < 0) fail(ExitCode::input, "{}: there is no {}", path_, object);
    const h5::Handle target(id, H5Oclose, "opening " + object);
    for (const std::string& name : attribute_names(target)) {
      if (!is_scale_bookkeeping(name)) values.emplace_back(name, read_attribute(target, path_ + ": " + object, name));
    }
  });
  return broadcast_attributes(comm_, std::move(values));
}

std::vector<std::int64_t> InputFile::extents(const std::string& name) {
  expect_same(comm_, "shape of " + name);
  return attempt(comm_, [&] {
    const hid_t id = H5Dopen2(file_, name.c_str(), H5P_DEFAULT);
    if (id < 0) fail(ExitCode::input, "{}: there is no dataset {}", path_, name);
    return shape_of(h5::Handle(id, H5Dclose, "opening " + name));
  });
}

template <class T>
std::vector<T> InputFile::read_replicated(const std::string& name, H5T_class_t kind, hid_t type) {
  expect_same(comm_, "numbers of " + name);
  std::vector<T> values = attempt(comm_, [&] {
    const h5::Handle dataset = open_numbers(file_, path_, name, kind);
    return std::vector<T>(static_cast<std::size_t>(product(shape_of(dataset))));
  });
  attempt_on_root(comm_, [&] {
    const h5::Handle dataset = open_numbers(file_, path_, name, kind);
    h5::check(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
              fmt::format("reading {} of {}", name, path_));
  });
  broadcast(comm_, std::span<T>(values));
  bytes_ += static_cast<std::int64_t>(values.size() * sizeof(T));
  return values;
}

std::vector<double> InputFile::numbers(const std::string& name) {
  return read_replicated<double>(name, H5T_FLOAT, H5T_NATIVE_DOUBLE);
}

std::vector<std::int64_t> InputFile::integers(const std::string& name) {
  return read_replicated<std::int64_t>(name, H5T_INTEGER, H5T_NATIVE_INT64);
}

h5::Handle InputFile::open_reals(const std::string& name, const std::vector<std::int64_t>& extents) {
  return attempt(comm_, [&] {
    h5::Handle dataset = open_numbers(file_, path_, name, H5T_FLOAT);
    const std::vector<std::int64_t> found = shape_of(dataset);
    const bool fits =
        std::equal(found.begin(), found.end(), extents.begin(), extents.end(),
                   [](std::int64_t is, std::int64_t wanted) { return wanted == any_extent || is == wanted; });
    if (!fits) {
      fail(ExitCode::input, "{}: {} has shape ({}), expected ({})", path_, name, fmt::join(found, ", "),
           wanted_shape(extents));
    }
    return dataset;
  });
}

void InputFile::read_rows(const std::string& name, Range own, MatrixView<double> into) {
  expect_same(comm_, fmt::format("rows of {}, {} wide", name, into.rows));
  attempt(comm_, [&] {
    if (own.begin < 0 || own.size() < 0 || into.cols != own.size() || into.stride < into.rows) {
      fail(ExitCode::internal, "{}: rows {} to {} into {} x {} with a stride of {}", name, own.begin, own.end,
           into.rows, into.cols, into.stride);
    }
  });
  const h5::Handle dataset = open_reals(name, {any_extent, into.rows});
  const std::int64_t rows_there = attempt(comm_, [&] {
    const std::int64_t rows = shape_of(dataset).front();
    if (own.end > rows) fail(ExitCode::input, "{}: {} has {} rows, expected at least {}", path_, name, rows, own.end);
    return rows;
  });
  if (rows_there == 0 || into.rows == 0) return;
  for (const Range& rows : pieces(comm_, own, into.rows)) {
    const Transfer transfer =
        attempt(comm_, [&] { return Transfer(dataset, whole_rows(rows, into.rows, into.stride)); });
    attempt(comm_, [&] {
      h5::check(H5Dread(dataset, H5T_NATIVE_DOUBLE, transfer.memory, transfer.file, transfer.properties,
                        into.column(rows.begin - own.begin)),
                fmt::format("reading {} of {}", name, path_));
    });
  }
  bytes_ += sum(comm_, own.size()) * into.rows * static_cast<std::int64_t>(sizeof(double));
}

BlockVector InputFile::read_views(const std::string& name) {
  expect_same(comm_, "views in " + name);
  const h5::Handle dataset = open_reals(name, {any_extent, any_extent, any_extent});
  const std::vector<std::int64_t> shape = shape_of(dataset);
  const std::int64_t views = shape[0];
  const std::int64_t width = shape[2];
  BlockVector into = attempt(comm_, [&] {
    if (product(shape) == 0) fail(ExitCode::input, "{}: {} holds no numbers", path_, name);
    return make_block_vector(comm_, views * shape[1], width, views);
  });
  std::vector<double> part;
  for (const Range& pairs : pieces(comm_, {into.range.begin / views, into.range.end / views}, width)) {
    for (std::int64_t view = 0; view < views; ++view) {
      const auto transfer = attempt(comm_, [&] {
        part.resize(static_cast<std::size_t>(std::max<std::int64_t>(1, pairs.size() * width)));
        return Transfer(dataset, view, pairs, width);
      });
      attempt(comm_, [&] {
        h5::check(H5Dread(dataset, H5T_NATIVE_DOUBLE, transfer.memory, transfer.file, transfer.properties, part.data()),
                  fmt::format("reading {} of {}", name, path_));
      });
      for (std::int64_t i = 0; i < pairs.size(); ++i) {
        std::copy_n(part.data() + i * width, width,
                    into.local().column(views * (pairs.begin + i) + view - into.range.begin));
      }
    }
  }
  bytes_ += product(shape) * static_cast<std::int64_t>(sizeof(double));
  return into;
}

void InputFile::read_matrix(const std::string& name, DistMatrix& into, StackedViews views) {
  expect_same(comm_, fmt::format("{}: {} x {} in blocks of {}, views {} x {}", name, into.rows(), into.cols(),
                                 into.block(), views.rows, views.cols));
  attempt(comm_, [&] { check_stacked(name, into, views); });
  const h5::Handle dataset = open_reals(name, {into.rows(), into.cols()});
  if (into.rows() == 0 || into.cols() == 0) return;
  const std::int64_t height = panel_height(into);
  for (std::int64_t begin = 0; begin < into.rows(); begin += height) {
    auto [panel, transfer] = attempt(comm_, [&] {
      MatrixPanel part(into, {begin, std::min(begin + height, into.rows())}, views);
      Transfer how(dataset, part.slab());
      return std::pair(std::move(part), std::move(how));
    });
    attempt(comm_, [&, &panel = panel, &transfer = transfer] {
      h5::check(H5Dread(dataset, H5T_NATIVE_DOUBLE, transfer.memory, transfer.file, transfer.properties, panel.data()),
                fmt::format("reading {} of {}", name, path_));
    });
    panel.copy_to(into.local());
  }
  bytes_ += into.rows() * into.cols() * static_cast<std::int64_t>(sizeof(double));
}

}  // namespace stepwise
