#include "services/orchestrator/store/sql_copy.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

enum class Type { kInt, kOptionalInt, kText, kBlob };

struct Column {
  const char* name;
  Type type;
};

struct Table {
  const char* name;
  std::vector<Column> columns;
};

// Those that others refer to come first.
const std::vector<Table>& Tables() {
  static const auto& tables = *new std::vector<Table>{
      {"machines",
       {{"uid", Type::kText},
        {"name", Type::kText},
        {"revision", Type::kInt},
        {"fence", Type::kInt},
        {"record", Type::kBlob}}},
      {"operations",
       {{"position", Type::kInt},
        {"name", Type::kText},
        {"machine_uid", Type::kText},
        {"machine_name", Type::kText},
        {"epoch", Type::kInt},
        {"owner", Type::kText},
        {"taken_from", Type::kText},
        {"lease_until", Type::kInt},
        {"cancel_requested", Type::kInt},
        {"finish_time", Type::kOptionalInt},
        {"record", Type::kBlob}}},
      {"events", {{"operation", Type::kInt}, {"sequence", Type::kInt}, {"event", Type::kBlob}}},
      {"requests",
       {{"caller", Type::kText},
        {"request_id", Type::kText},
        {"body_hash", Type::kBlob},
        {"operation", Type::kText},
        {"create_time", Type::kInt}}},
      {"secrets", {{"owner", Type::kText}, {"name", Type::kText}, {"sealed", Type::kBlob}}},
      {"certificates", {{"name", Type::kText}, {"record", Type::kBlob}}},
      {"drivers", {{"name", Type::kText}, {"record", Type::kBlob}}},
      {"tombstones", {{"uid", Type::kText}, {"next_attempt", Type::kInt}, {"record", Type::kBlob}}},
      {"credentials", {{"name", Type::kText}, {"record", Type::kBlob}}},
      {"users", {{"id", Type::kText}, {"record", Type::kBlob}}},
      {"grants",
       {{"name", Type::kText},
        {"user_id", Type::kText},
        {"create_time", Type::kInt},
        {"record", Type::kBlob}}},
      {"join_tokens",
       {{"hash", Type::kText}, {"user_id", Type::kText}, {"expire_time", Type::kInt}}},
      {"audit", {{"sequence", Type::kInt}, {"entry", Type::kBlob}}},
  };
  return tables;
}

// Times are after 1970, so -1 can stand for NULL on the way.
std::string SelectAll(const Table& table) {
  return absl::StrCat("SELECT ",
                      absl::StrJoin(table.columns, ", ",
                                    [](std::string* out, const Column& column) {
                                      const bool optional = column.type == Type::kOptionalInt;
                                      absl::StrAppend(out, optional ? "coalesce(" : "", column.name,
                                                      optional ? ", -1)" : "");
                                    }),
                      " FROM ", table.name);
}

std::string InsertRow(const Table& table) {
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (const Column& column : table.columns) {
    names.emplace_back(column.name);
    const std::string value = absl::StrCat("?", names.size());
    values.push_back(column.type == Type::kOptionalInt ? absl::StrCat("nullif(", value, ", -1)")
                                                       : value);
  }
  return absl::StrCat("INSERT INTO ", table.name, " (", absl::StrJoin(names, ", "), ") VALUES (",
                      absl::StrJoin(values, ", "), ")");
}

absl::Status CopyTable(SqlConnection& from, SqlConnection& to, const Table& table) {
  const std::string insert = InsertRow(table);
  DM_ASSIGN_OR_RETURN(SqlStatement row, from.Query(SelectAll(table)));
  for (;;) {
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return absl::OkStatus();
    std::vector<SqlValue> values;
    for (size_t i = 0; i < table.columns.size(); ++i) {
      const int column = static_cast<int>(i);
      switch (table.columns[i].type) {
        case Type::kInt:
        case Type::kOptionalInt:
          values.emplace_back(row.Int(column));
          break;
        case Type::kText:
          values.emplace_back(row.Bytes(column));
          break;
        case Type::kBlob:
          values.emplace_back(Blob{row.Bytes(column)});
          break;
      }
    }
    DM_ASSIGN_OR_RETURN(SqlStatement inserted, to.QueryValues(insert, values));
    DM_RETURN_IF_ERROR(inserted.Run());
  }
}

}  // namespace

absl::Status CopyContents(SqlConnection& from, SqlConnection& to, absl::string_view target) {
  for (const Table& table : Tables()) {
    DM_ASSIGN_OR_RETURN(SqlStatement row,
                        to.Query(absl::StrCat("SELECT 1 FROM ", table.name, " LIMIT 1")));
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (found) {
      return absl::AlreadyExistsError(
          absl::StrCat(target, " is not empty: ", table.name, " are stored there already"));
    }
  }
  for (const Table& table : Tables()) {
    DM_RETURN_IF_ERROR(
        common::Annotate(CopyTable(from, to, table), absl::StrCat("copying ", table.name)));
  }
  DM_ASSIGN_OR_RETURN(SqlStatement id, from.Query("SELECT id FROM orchestrator"));
  DM_RETURN_IF_ERROR(id.Step().status());
  return to.Change("UPDATE orchestrator SET id = ?1", id.Bytes(0));
}

}  // namespace machine::orchestrator
