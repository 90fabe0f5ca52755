#include "peer/shell/statistics_json.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <sys/resource.h>
#include <unistd.h>

namespace ppsp::peer {
namespace {

namespace json = boost::json;

double to_seconds(timeval const& time)
{
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// Resident pages, second number of /proc/self/statm.
std::uint64_t resident_bytes()
{
    std::FILE* const file = std::fopen("/proc/self/statm", "re");
    if (file == nullptr) {
        return 0;
    }
    unsigned long total = 0;
    unsigned long resident = 0;
    int const fields = std::fscanf(file, "%lu %lu", &total, &resident);
    static_cast<void>(std::fclose(file));
    auto const page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return fields == 2 ? resident * page : 0;
}

std::int64_t to_ms(Duration duration)
{
    return std::chrono::round<std::chrono::milliseconds>(duration).count();
}

/// Thousandths are enough for people and keep lines short.
double rounded(double value)
{
    return std::round(value * 1000.0) / 1000.0;
}

void append_metric(std::string& out, std::string const& name, json::value const& value)
{
    if (!value.is_number()) {
        return;
    }
    out += name + " " + json::serialize(value) + "\n";
}

} // namespace

ProcessUsage process_usage()
{
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return {to_seconds(usage.ru_utime) + to_seconds(usage.ru_stime), resident_bytes()};
}

std::string to_json(StatisticsRecord const& record)
{
    SwarmStatistics const& swarm = record.swarm;
    json::object object;
    object["uptime_s"] = rounded(static_cast<double>(record.uptime.count()) / 1e6);
    object["startup_ms"] =
        swarm.startup ? json::value(to_ms(*swarm.startup)) : json::value(nullptr);
    object["live_latency_ms"] =
        json::object{{"p50", to_ms(swarm.latency_p50)}, {"p95", to_ms(swarm.latency_p95)}};
    object["continuity"] = std::round(swarm.continuity() * 1e6) / 1e6;
    object["stalls"] = swarm.stalls;
    object["stall_ms"] = to_ms(swarm.stall_time);
    object["media_bytes"] = swarm.media_bytes;
    object["from_source_bytes"] = swarm.from_source_bytes;
    object["from_peers_bytes"] = swarm.from_peers_bytes;
    object["from_cache_bytes"] = swarm.from_cache_bytes;
    object["from_cdn_bytes"] = swarm.from_cdn_bytes;
    object["storage_bytes"] = swarm.storage_bytes;
    object["rescued_units"] = swarm.rescued_units;
    object["last_rescue_cause"] = swarm.last_rescue_cause;
    object["living_from"] = record.living_from;
    if (swarm.content_length || swarm.content_bytes > 0) {
        object["content_length"] =
            swarm.content_length ? json::value(*swarm.content_length) : json::value(nullptr);
        object["content_bytes"] = swarm.content_bytes;
    }
    object["duplicate_bytes"] = swarm.duplicate_bytes;
    object["wire_bytes_in"] = swarm.wire_bytes_in;
    object["wire_bytes_out"] = swarm.wire_bytes_out;
    object["upload_media_bytes"] = swarm.upload_media_bytes;
    object["bad_chunks"] = swarm.bad_chunks;
    object["banned_peers"] = swarm.banned_peers;
    object["neighbours"] = swarm.neighbours;
    object["cpu_seconds"] = rounded(record.usage.cpu_seconds);
    object["rss_bytes"] = record.usage.rss_bytes;
    object["last_stall_cause"] = swarm.last_stall_cause;
    object["final"] = record.is_final;
    return json::serialize(object);
}

std::string to_prometheus(std::string const& statistics_json, std::string const& prefix)
{
    boost::system::error_code error;
    auto const value = json::parse(statistics_json, error);
    auto const* object = error ? nullptr : value.if_object();
    std::string out;
    if (object == nullptr) {
        return out;
    }
    for (auto const& member : *object) {
        std::string const name = prefix + "_" + std::string{member.key()};
        append_metric(out, name, member.value());
        if (auto const* percentiles = member.value().if_object()) {
            append_metric(out, name + "{quantile=\"0.5\"}", percentiles->at("p50"));
            append_metric(out, name + "{quantile=\"0.95\"}", percentiles->at("p95"));
        }
    }
    return out;
}

void StatisticsFile::Close::operator()(std::FILE* file) const
{
    if (file != stdout) {
        static_cast<void>(std::fclose(file));
    }
}

Result<StatisticsFile, std::string> StatisticsFile::open(std::string const& path)
{
    if (path == "-") {
        return StatisticsFile{stdout};
    }
    std::FILE* const file = std::fopen(path.c_str(), "we");
    if (file == nullptr) {
        return failure("cannot write statistics to " + path + ": " + std::strerror(errno));
    }
    return StatisticsFile{file};
}

bool StatisticsFile::write_line(std::string const& line)
{
    std::string const text = line + "\n";
    bool const is_written = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
    return is_written && std::fflush(file_.get()) == 0;
}

} // namespace ppsp::peer
