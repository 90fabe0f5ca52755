#include "player/app/play_statistics.hpp"

#include <boost/json.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace ppsp::player {
namespace {

namespace json = boost::json;

json::object parse_object(std::string const& text)
{
    json::error_code error;
    auto value = json::parse(text, error);
    return !error && value.is_object() ? std::move(value.as_object()) : json::object{};
}

json::object to_json(GlassToGlass::Summary const& summary)
{
    return {{"p50", summary.p50_ms},
            {"p95", summary.p95_ms},
            {"max", summary.max_ms},
            {"frames", summary.frames},
            {"unreadable", summary.unreadable}};
}

} // namespace

std::string statistics_line(std::string const& node_json, PlayStatistics const& statistics)
{
    auto object = parse_object(node_json);
    object["startup_ms"] =
        statistics.startup ? json::value(statistics.startup->count()) : json::value(nullptr);
    object["frames_shown"] = statistics.frames_shown;
    object["frames_dropped"] = statistics.frames_dropped;
    if (statistics.glass_to_glass) {
        object["glass_to_glass_ms"] = to_json(*statistics.glass_to_glass);
    }
    object.erase("final");
    if (statistics.is_final) {
        object["final"] = true;
    }
    return json::serialize(object);
}

StatisticsOutput::StatisticsOutput(std::string const& path, std::ostream& standard_output)
{
    if (path.empty()) {
        return;
    }
    if (path == "-") {
        stream_ = &standard_output;
        return;
    }
    file_ = std::make_unique<std::ofstream>(path, std::ios::trunc);
    if (!*file_) {
        error_ = "--stats-json: cannot write " + path + ": " + std::strerror(errno);
        return;
    }
    stream_ = file_.get();
}

StatisticsOutput::~StatisticsOutput() = default;

void StatisticsOutput::write(std::string const& line)
{
    if (stream_) {
        *stream_ << line << std::endl; // readers follow the file while we play
    }
}

} // namespace ppsp::player
