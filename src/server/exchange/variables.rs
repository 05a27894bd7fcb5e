//! What a program is told: the facts of an exchange, put into the words of `proto::cgi::meta`.

use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;

use super::Exchange;
use super::resource::Subject;
use crate::handler::reply::Reply;
use crate::handler::script::Script;
use crate::proto::Reason;
use crate::proto::address::AddressText;
use crate::proto::cgi::meta::{
    Authenticated, Authorization, Interpreter, MetaVariables, Scheme, ScriptRequest,
};
use crate::sys::listener::{Bound, Listener};

impl Exchange<'_> {
    /// Makes the meta-variables of a program.
    pub(super) fn fill(
        &self,
        variables: &mut MetaVariables,
        script: &Script,
        subject: &Subject<'_>,
        authorization: Authorization,
        reply: &Reply<'_>,
    ) -> Result<(), Reason> {
        let (server, settings) = (self.server, &self.hosted.settings);
        let local = match server
            .listeners
            .at(self.listener)
            .as_deref()
            .map(Listener::bound)
        {
            Some(Bound::Tcp(bound)) if !bound.ip().is_unspecified() => Some(*bound),
            Some(Bound::Unix(_)) => None,
            // It may be listened at no more.
            Some(Bound::Tcp(_)) | None => reply.stream().local_address(),
        };
        let server_addr = local.map(|local| AddressText::of(local.ip()));
        let remote_addr = self.origin.whom.address().map(AddressText::of);
        let scheme = self.origin.scheme.unwrap_or(settings.scheme);
        let user = self.course.user();
        let authority = self.request.authority;
        let own_name = match (authority, local.map(|local| local.ip())) {
            (None, Some(IpAddr::V4(address))) => Some(address.to_string()),
            (None, Some(IpAddr::V6(address))) => Some(format!("[{address}]")),
            _ => None,
        };
        let head = self.request.head;
        let request = ScriptRequest {
            method: subject.method,
            version: head.version().as_str(),
            script_name: &script.script_name,
            path_info: &script.path_info,
            query: subject.target.query,
            request_uri: subject.request_uri,
            server_name: authority
                .map(|authority| authority.host)
                .or(own_name.as_deref())
                .unwrap_or("localhost"),
            server_port: local
                .map(|local| local.port())
                .or(authority.and_then(|authority| authority.port))
                .unwrap_or(match scheme {
                    Scheme::Http => 80,
                    Scheme::Https => 443,
                }),
            server_addr: server_addr.as_ref().map_or("", AddressText::as_str),
            remote_addr: remote_addr.as_ref().map_or("", AddressText::as_str),
            remote_port: self.origin.whom.port(),
            scheme,
            content_length: subject.body.map(|body| body.len()),
            document_root: self
                .hosted
                .site
                .document_root()
                .map(|root| root.root.path().as_os_str().as_bytes()),
            script_filename: script.filename.as_os_str().as_bytes(),
            for_interpreter: match script.is_interpreted {
                true => Interpreter::Configured,
                false => Interpreter::None,
            },
            auth: user.map(|user| Authenticated {
                scheme: "Basic",
                user,
            }),
            pass_authorization: match user {
                // They were for the server, and the program is told whose they are.
                Some(_) => Authorization::Withheld,
                None => authorization,
            },
            granted: self.course.granted(),
            extra: &settings.environment,
        };
        let told_host = self.request.target.authority;
        let fields = head.field_lines().filter_map(|(name, value)| {
            if subject.is_redirected && name.eq_ignore_ascii_case("content-type") {
                return None; // The redirected request has no body.
            }
            match told_host {
                // RFC 9112 section 3.2.2: the target's authority stands in for Host.
                Some(host) if name.eq_ignore_ascii_case("host") => Some((name, host)),
                _ => Some((name, value)),
            }
        });
        variables.refill(&request, fields)
    }
}
