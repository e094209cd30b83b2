//! The parent image: found in AWS, made in the local environment.

use super::cloud::Cloud;
use super::error::{AwsError, CallError};
use crate::event::{Events, Stage};
use crate::project::{LocalParent, ParentReference};
use crate::render::RenderedRecipe;
use aws_sdk_ec2::types::{Filter, ImageState};

impl Cloud {
    /// The AMI id of a recipe's parent image, in the home account and Region.
    ///
    /// In the local environment a parent with a `local` source is made when it is not there yet, and put under the
    /// SSM parameter that the recipe names, as its publisher does in AWS. Anything else is looked up, and must be
    /// available and of the recipe's architecture: better here than after minutes in a build.
    ///
    /// # Errors
    /// When it cannot be made, is not there, or cannot be used.
    pub async fn prepare_parent(
        &self,
        rendered: &RenderedRecipe,
        local: Option<&LocalParent>,
        events: &Events,
    ) -> Result<String, AwsError> {
        if self.is_local() && local.is_none() {
            return Err(AwsError::NoLocalParent { recipe: rendered.recipe.clone() });
        }
        if let (Some(embedded), ParentReference::Ssm(parameter)) = (self.embedded(), &rendered.parent) {
            let (name, arch, local) = self.local_parent(rendered, local)?;
            let events = events.clone();
            let say = move |text: String| events.progress(Stage::Parent, text);
            return embedded.parent(&name, parameter, arch, local, say).await;
        }
        self.find_parent(rendered).await
    }

    /// The AMI id that [`Cloud::prepare_parent`] leads to, without making anything: for a plan.
    ///
    /// A recipe without a `local` source can be planned in the local environment though not built: there the reference
    /// itself stands for the AMI.
    ///
    /// # Errors
    /// When it is not there or cannot be used, in AWS; in the local environment when the recipe cannot be built there.
    pub async fn parent_id(&self, rendered: &RenderedRecipe, local: Option<&LocalParent>) -> Result<String, AwsError> {
        if self.is_local() && local.is_none() {
            return Ok(reference(rendered));
        }
        if let (Some(embedded), ParentReference::Ssm(parameter)) = (self.embedded(), &rendered.parent) {
            let (name, arch, local) = self.local_parent(rendered, local)?;
            return embedded.parent_id(&name, parameter, arch, local).await;
        }
        self.find_parent(rendered).await
    }

    fn local_parent(
        &self,
        rendered: &RenderedRecipe,
        local: Option<&LocalParent>,
    ) -> Result<(String, &'static str, LocalParent), AwsError> {
        let Some(local) = local else {
            return Err(AwsError::NoLocalParent { recipe: rendered.recipe.clone() });
        };
        let arch = rendered.arch.name();
        Ok((format!("{}-parent-{arch}", rendered.recipe), arch, local.within(self.root())))
    }

    async fn find_parent(&self, rendered: &RenderedRecipe) -> Result<String, AwsError> {
        let ami = match &rendered.parent {
            ParentReference::Ami(ami) => ami.clone(),
            ParentReference::Ssm(name) => self.parent_parameter(rendered, name).await?,
            ParentReference::Image(arn) => self.parent_image(rendered, arn).await?,
            ParentReference::Named { pattern, owner } => self.newest(rendered, pattern, owner).await?,
            // What is built and promoted is not known here: `run` has looked, or nobody has.
            ParentReference::Recipe { recipe, .. } => {
                return Err(unusable(rendered, &format!("the image of recipe `{recipe}` was not looked up")));
            }
        };
        self.check_parent(rendered, &ami).await?;
        Ok(ami)
    }

    async fn parent_parameter(&self, rendered: &RenderedRecipe, name: &str) -> Result<String, AwsError> {
        let answer = self.ssm(self.home()).get_parameter().name(name).send().await;
        let answer = answer.map_err(CallError::of("GetParameter", self.home()));
        if answer.as_ref().is_err_and(|error| error.fault.is(&["ParameterNotFound"])) {
            return Err(unusable(rendered, "there is no such SSM parameter in this Region"));
        }
        let parameter = answer?.parameter.and_then(|parameter| parameter.value).unwrap_or_default();
        if parameter.starts_with("ami-") {
            return Ok(parameter);
        }
        Err(unusable(rendered, &format!("the SSM parameter holds `{parameter}`, which is not an AMI id")))
    }

    async fn parent_image(&self, rendered: &RenderedRecipe, arn: &str) -> Result<String, AwsError> {
        let answer = self.imagebuilder().get_image().image_build_version_arn(arn).send().await;
        let image = answer.map_err(CallError::of("GetImage", self.home()))?.image;
        let amis = image.and_then(|image| image.output_resources).and_then(|output| output.amis).unwrap_or_default();
        amis.into_iter()
            .filter(|ami| ami.region.as_deref() == Some(&self.home().region))
            .find_map(|ami| ami.image)
            .ok_or_else(|| unusable(rendered, "the image has no AMI in the home Region"))
    }

    /// The newest of the owner's AMIs that can be used and whose name fits. Deprecated ones are no parents: `DescribeImages`
    /// leaves them out unless it is asked for them.
    async fn newest(&self, rendered: &RenderedRecipe, pattern: &str, owner: &str) -> Result<String, AwsError> {
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let mut pages = self
            .ec2(self.home())
            .describe_images()
            .owners(owner)
            .filters(filter("name", pattern))
            .filters(filter("state", "available"))
            .filters(filter("architecture", rendered.arch.name()))
            .into_paginator()
            .send();
        let mut newest: Option<(String, String)> = None;
        while let Some(page) = pages.next().await {
            let page = page.map_err(CallError::of("DescribeImages", self.home()))?;
            let found = page.images.unwrap_or_default().into_iter();
            // Times of the same form in UTC: they are in order as text. The id decides between equals, for one answer.
            newest = found.filter_map(|image| Some((image.creation_date?, image.image_id?))).chain(newest).max();
        }
        let arch = rendered.arch.name();
        newest
            .map(|(_, id)| id)
            .ok_or_else(|| unusable(rendered, &format!("{owner} has no available AMI for {arch} of that name")))
    }

    /// Whether an AMI can be the parent of a recipe: there, available and of its architecture.
    ///
    /// # Errors
    /// When it cannot, or that cannot be found out.
    pub async fn check_parent(&self, rendered: &RenderedRecipe, ami: &str) -> Result<(), AwsError> {
        let answer = self.ec2(self.home()).describe_images().image_ids(ami).send().await;
        let answer = answer.map_err(CallError::of("DescribeImages", self.home()));
        if answer.as_ref().is_err_and(|error| error.fault.is(&["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"])) {
            return Err(unusable(rendered, &format!("{ami} does not exist in this Region")));
        }
        let Some(image) = answer?.images.unwrap_or_default().into_iter().next() else {
            return Err(unusable(rendered, &format!("{ami} is not visible to this account")));
        };
        if image.state != Some(ImageState::Available) {
            let state = image.state.map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned());
            return Err(unusable(rendered, &format!("{ami} is not available but `{state}`")));
        }
        let arch = image.architecture.map(|arch| arch.as_str().to_owned()).unwrap_or_default();
        if arch != rendered.arch.name() {
            return Err(unusable(rendered, &format!("{ami} is for {arch}, the recipe for {}", rendered.arch.name())));
        }
        Ok(())
    }
}

/// The parent image as Image Builder spells it.
fn reference(rendered: &RenderedRecipe) -> String {
    match &rendered.parent {
        ParentReference::Ssm(name) => format!("ssm:{name}"),
        ParentReference::Ami(text) | ParentReference::Image(text) => text.clone(),
        ParentReference::Named { pattern, owner } => format!("{pattern} of {owner}"),
        ParentReference::Recipe { recipe, .. } => format!("recipe {recipe}"),
    }
}

fn unusable(rendered: &RenderedRecipe, reason: &str) -> AwsError {
    AwsError::Parent { recipe: rendered.recipe.clone(), reference: reference(rendered), reason: reason.to_owned() }
}
