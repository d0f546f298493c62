#include "solve/elpa_abi.hpp"

// The header forgets C linkage for this one.
extern "C" const char* elpa_strerr(int elpa_error);
#include <elpa/elpa.h>

#include <optional>

#include "stepwise/core/error.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

// elpa_init accepts 20170403 to 20221109 in ELPA 2022.11; this is the interface the calls below were written for.
constexpr int api_version = 20221109;

/// Agrees on the status of one call. ELPA reports on the ranks that failed only.
void check(const Communicator& comm, int status, const char* call, const char* key = "", int setting = 0) {
  std::optional<Error> problem;
  if (status != ELPA_OK) {
    problem = Error(ExitCode::numerical,
                    fmt::format("ELPA: {}({}{}) failed: {} (status {})", call, key,
                                *key != '\0' ? fmt::format(" = {}", setting) : "", elpa_strerr(status), status));
  }
  agree(comm, problem);
}

class Handle {
 public:
  explicit Handle(const Communicator& comm) : comm_(comm) {
    check(comm_, elpa_init(api_version), "elpa_init", "API version", api_version);
    int status = ELPA_OK;
    handle_ = elpa_allocate(&status);
    check(comm_, status, "elpa_allocate");
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    int status = ELPA_OK;
    elpa_deallocate(handle_, &status);
  }

  void set(const char* key, int value) {
    int status = ELPA_OK;
    elpa_set(handle_, key, value, &status);
    check(comm_, status, "elpa_set", key, value);
  }

  [[nodiscard]] elpa_t raw() const noexcept { return handle_; }

 private:
  const Communicator& comm_;
  elpa_t handle_ = nullptr;
};

}  // namespace

void elpa_smallest(DistMatrix& a, std::int64_t count, bool two_stage, std::vector<double>& values,
                   DistMatrix& vectors) {
  const Communicator& comm = a.comm();
  Handle elpa(comm);
  // All dimensions of a DistMatrix are below 2^31.
  elpa.set("na", static_cast<int>(a.rows()));
  elpa.set("nev", static_cast<int>(count));
  elpa.set("local_nrows", static_cast<int>(a.local().stride));
  elpa.set("local_ncols", static_cast<int>(a.local().cols));
  elpa.set("nblk", static_cast<int>(a.block()));
  elpa.set("mpi_comm_parent", MPI_Comm_c2f(comm.raw()));
  elpa.set("process_row", a.grid().row());
  elpa.set("process_col", a.grid().col());
  check(comm, elpa_setup(elpa.raw()), "elpa_setup");
  elpa.set("solver", two_stage ? ELPA_SOLVER_2STAGE : ELPA_SOLVER_1STAGE);
  int status = ELPA_OK;
  if (count == 0) {
    elpa_eigenvalues(elpa.raw(), a.local().data, values.data(), &status);
  } else {
    elpa_eigenvectors(elpa.raw(), a.local().data, values.data(), vectors.local().data, &status);
  }
  check(comm, status, count == 0 ? "elpa_eigenvalues" : "elpa_eigenvectors");
}

}  // namespace stepwise
