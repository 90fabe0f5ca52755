#include "protocol/wire/messages.hpp"

namespace ppsp::wire {
namespace {

struct TypeOf {
    MessageType operator()(Handshake const&) const { return MessageType::handshake; }
    MessageType operator()(Data const&) const { return MessageType::data; }
    MessageType operator()(Ack const&) const { return MessageType::ack; }
    MessageType operator()(Have const&) const { return MessageType::have; }
    MessageType operator()(Integrity const&) const { return MessageType::integrity; }
    MessageType operator()(SignedIntegrity const&) const { return MessageType::signed_integrity; }
    MessageType operator()(Request const&) const { return MessageType::request; }
    MessageType operator()(Cancel const&) const { return MessageType::cancel; }
    MessageType operator()(Choke const&) const { return MessageType::choke; }
    MessageType operator()(Unchoke const&) const { return MessageType::unchoke; }
    MessageType operator()(PexRequest const&) const { return MessageType::pex_req; }
    MessageType operator()(PexResponse const& response) const
    {
        return response.peer.is_v4() ? MessageType::pex_res_v4 : MessageType::pex_res_v6;
    }
    MessageType operator()(PexCertificate const&) const { return MessageType::pex_res_cert; }
};

} // namespace

MessageType type_of(Message const& message)
{
    return std::visit(TypeOf{}, message);
}

} // namespace ppsp::wire
