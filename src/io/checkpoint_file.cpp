#include "stepwise/io/checkpoint_file.hpp"

#include <fmt/format.h>

#include "io/checksum.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

std::uint64_t over_ranks(const Communicator& comm, std::uint64_t part) {
  MPI_Allreduce(MPI_IN_PLACE, &part, 1, MPI_UINT64_T, MPI_SUM, comm.raw());
  return part;
}

std::uint64_t hash_rows(const Communicator& comm, Range own, MatrixView<const double> rows) {
  return over_ranks(comm, hash_slab(whole_rows(own, rows.rows, rows.stride), rows.rows, rows.data));
}

std::uint64_t hash_matrix(const DistMatrix& matrix) {
  const auto local = matrix.local();
  std::uint64_t total = 0;
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i) {
      total += place_hash(matrix.global_row(i) * matrix.cols() + matrix.global_col(j), bits_of(local(i, j)));
    }
  }
  return over_ranks(matrix.grid().comm(), total);
}

/// What cannot be opened nobody can go on from.
InputFile open_kept(const Communicator& comm, const std::string& path) {
  try {
    return {comm, path};
  } catch (const CollectiveError& error) {
    if (error.code() != ExitCode::input) throw;
    throw CollectiveError(error.code(),
                          fmt::format("{}: the file is damaged; remove it to go on without it", error.what()));
  }
}

DatasetInfo kept(const std::string& name) {
  return {name, "", "kept to go on from", {}};
}

}  // namespace

CheckpointWriter::CheckpointWriter(const Communicator& comm, const std::string& path) : file_(comm, path, true) {}

void CheckpointWriter::attributes(const Attributes& values) {
  file_.attributes("/", values);
}

void CheckpointWriter::numbers(const std::string& name, std::span<const double> values) {
  file_.write(kept(name), {values.size()}, values);
}

void CheckpointWriter::counts(const std::string& name, std::span<const std::int64_t> values) {
  file_.write(kept(name), {values.size()}, values);
}

void CheckpointWriter::rows(const std::string& name, std::int64_t samples, Range own, MatrixView<const double> values) {
  file_.write_rows(kept(name), samples, own, values);
}

void CheckpointWriter::matrix(const std::string& name, const DistMatrix& values) {
  file_.write_matrix(kept(name), values);
}

std::int64_t CheckpointWriter::commit() {
  return file_.commit();
}

CheckpointReader::CheckpointReader(const Communicator& comm, const std::string& path)
    : comm_(comm), path_(path), file_(open_kept(comm, path)) {}

Attributes CheckpointReader::attributes() {
  return file_.attributes("/");
}

bool CheckpointReader::contains(const std::string& name) {
  return file_.contains(name);
}

void CheckpointReader::compare_checksum(const std::string& name, std::uint64_t checksum) {
  std::string written;
  for (const auto& [key, value] : file_.attributes(name)) {
    if (const auto* text = std::get_if<std::string>(&value); text != nullptr && key == checksum_attribute)
      written = *text;
  }
  const std::string found = fmt::format("{:016x}", checksum);
  if (written == found) return;
  throw CollectiveError(ExitCode::input,
                        fmt::format("{}: {} has the checksum {}, but was written with {}: the file is damaged; remove "
                                    "it to go on without it",
                                    path_, name, found, written.empty() ? "none" : written));
}

std::vector<double> CheckpointReader::numbers(const std::string& name) {
  std::vector<double> values = file_.numbers(name);
  compare_checksum(name, hash_run(0, std::span<const double>(values)));
  return values;
}

std::vector<std::int64_t> CheckpointReader::counts(const std::string& name) {
  std::vector<std::int64_t> values = file_.integers(name);
  compare_checksum(name, hash_run(0, std::span<const std::int64_t>(values)));
  return values;
}

void CheckpointReader::rows(const std::string& name, Range own, MatrixView<double> into) {
  file_.read_rows(name, own, into);
  compare_checksum(name, hash_rows(comm_, own, into));
}

void CheckpointReader::matrix(const std::string& name, DistMatrix& into) {
  file_.read_matrix(name, into);
  compare_checksum(name, hash_matrix(into));
}

}  // namespace stepwise
