//! `GET /v1/numbers`: where calls to the numbers of the files go.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::server::control::clerk::Clerk;
use crate::server::control::view::List;
use crate::server::http::asked::Name;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::things::in_time;
use crate::server::numbers::NumberView;

/// The numbers that the files know, because a trunk, a tenant or a route names them, and where a call
/// to each goes now. They have no table of their own: edit the trunk, the tenant or the route.
#[utoipa::path(get, path = "/v1/numbers", operation_id = "numbers.list", tag = "numbers",
    responses((status = OK, body = List<NumberView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(State(clerk): State<Arc<Clerk>>) -> Result<Json<List<NumberView>>, Problem> {
    let data = in_time(clerk.numbers()).await?;
    Ok(Json(List { data }))
}

/// One of them, by the number as the list has it.
#[utoipa::path(get, path = "/v1/numbers/{number}", operation_id = "numbers.get", tag = "numbers",
    params(("number" = String, Path, description = "As the list has it")),
    responses((status = OK, body = NumberView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(clerk): State<Arc<Clerk>>,
    Name(number): Name,
) -> Result<Json<NumberView>, Problem> {
    let all = in_time(clerk.numbers()).await?;
    let unknown = || Problem::new(Code::NotFound, "the files know no such number");
    all.into_iter().find(|it| it.number == number).map(Json).ok_or_else(unknown)
}
