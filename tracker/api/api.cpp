#include "tracker/api/api.hpp"

#include <algorithm>

namespace ppsp::tracker {
namespace {

constexpr std::string_view json_type = "application/json";
constexpr std::string_view text_type = "text/plain; charset=utf-8";
/// The type of Prometheus' text format.
constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";
/// Long enough to fall out of the burst, short enough for a viewer who waits.
constexpr std::chrono::seconds retry_after{2};

ApiReply text_reply(unsigned status, std::string body)
{
    ApiReply reply;
    reply.status = status;
    reply.content_type = text_type;
    reply.body = std::move(body);
    return reply;
}

bool is_ppstp_type(std::string_view content_type)
{
    content_type = content_type.substr(0, content_type.find(';'));
    while (!content_type.empty() && content_type.back() == ' ') {
        content_type.remove_suffix(1);
    }
    return content_type == ppstp::media_type;
}

} // namespace

ApiReply Api::handle(TimePoint now, ApiRequest const& request)
{
    auto const path = request.target.substr(0, request.target.find('?'));
    bool const is_read = request.method == "GET" || request.method == "HEAD";
    bool const is_page = path == "/status" || path == "/healthz" || path == "/metrics";
    if (path != "/ppstp" && !is_page) {
        return text_reply(404, "no such page; PPSTP is spoken at POST /ppstp\n");
    }
    if (is_page ? !is_read : request.method != "POST") {
        auto reply = text_reply(405, "method not allowed here\n");
        reply.allow = is_page ? "GET, HEAD" : "POST";
        return reply;
    }
    if (path == "/healthz") {
        return text_reply(200, "ok\n");
    }
    if (path == "/status") {
        service_.expire(now);
        auto reply = text_reply(200, status_json(service_, started_, now));
        reply.content_type = json_type;
        return reply;
    }
    if (path == "/metrics") {
        service_.expire(now);
        auto reply = text_reply(200, metrics_text(service_, started_, now));
        reply.content_type = metrics_type;
        return reply;
    }
    return ppstp(now, request);
}

ApiReply Api::ppstp(TimePoint now, ApiRequest const& request)
{
    ApiReply reply;
    reply.content_type = ppstp::media_type;
    if (!is_ppstp_type(request.content_type)) {
        ppstp::Response refusal;
        refusal.error = ppstp::ErrorCode::bad_request;
        refusal.reason = "Content-Type has to be application/ppsp-tracker+json";
        reply.status = ppstp::http_status(refusal.error);
        reply.body = ppstp::to_json(refusal);
        return reply;
    }
    auto answer = service_.handle(now, request.body, request.source);
    reply.status = ppstp::http_status(answer.error);
    reply.body = std::move(answer.body);
    if (answer.error == ppstp::ErrorCode::unavailable) {
        reply.retry_after = retry_after;
    }
    return reply;
}

} // namespace ppsp::tracker
